"""What a provider's exception means: Flotilla's error, and whether it may pass.

No word of an exception's text is used or logged: it may hold the key.
"""

from typing import Any

from flotilla.errors import FlotillaError, ModelRejected, ModelUnavailable
from flotilla.retry_after import of_headers


class Trouble(Exception):
    """A request that brought no reply.

    Args:
        error: what a user is told.
        status: the HTTP status, None where there was none.
        healthy: whether the provider is all the same: True where it answered properly, such as
            with a refusal, False where it did not, None where that is not known.
        retryable: whether the same model may reply a moment later.
        another: whether another model may reply.
        timed_out: whether it is that time ran out.
    """

    def __init__(
        self,
        error: FlotillaError,
        *,
        status: int | None = None,
        healthy: bool | None = None,
        retryable: bool = False,
        another: bool = True,
        timed_out: bool = False,
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.status = status
        self.healthy = healthy
        self.retryable = retryable
        self.another = another
        self.timed_out = timed_out


class Again(Exception):
    """Ask the same model at once in another manner, since the server does not know this one."""


class Passed(Exception):
    """What somebody else raised while a model's reply was being read.

    Args:
        original: the exception, which nothing here has to judge.
    """

    def __init__(self, original: BaseException) -> None:
        super().__init__()
        self.original = original


def failure(error: Exception) -> FlotillaError:
    """What a provider's exception means to a user."""
    return read(error).error


def read(error: Exception) -> Trouble:
    """What a provider's exception means, to a user and to the policy."""
    import openai
    from langchain_core.exceptions import ContextOverflowError

    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
    code = getattr(error, "code", None)
    if isinstance(error, ContextOverflowError) or code == "context_length_exceeded":
        shown = status if isinstance(status, int) else 400
        return _refused(413, shown)
    if isinstance(status, int) and not 200 <= status < 300:
        return _of_status(status, code, response)
    if isinstance(error, (openai.APITimeoutError, TimeoutError)):
        return Trouble(
            ModelUnavailable(
                "The language model did not answer in time: try again, or raise "
                "FLOTILLA_LLM_TIMEOUT."
            ),
            healthy=False,
            retryable=True,
            timed_out=True,
        )
    if (
        isinstance(error, (openai.APIConnectionError, OSError))
        # The exceptions that LangChain gives other providers say so themselves.
        or getattr(error, "is_retryable", False)
    ):
        return Trouble(
            ModelUnavailable(
                "The language model's server cannot be reached: check LLM_BASE_URL and the "
                "network, or try again later."
            ),
            healthy=False,
            retryable=True,
        )
    if type(error) is openai.APIError:  # an event of a stream
        return broken_off()
    return Trouble(
        ModelRejected(
            "The language model's server sent something that is not a chat completion: check "
            "that LLM_BASE_URL is the address of an OpenAI-compatible API, usually ending in /v1."
        )
    )


def broken_off() -> Trouble:
    """A stream that ended before the reply did."""
    return Trouble(
        ModelUnavailable(
            "The language model's provider broke off in the middle of a reply: try again later."
        ),
        healthy=False,
        retryable=True,
    )


def _of_status(status: int, code: object, response: Any) -> Trouble:
    if status == 429 and code == "insufficient_quota":
        return Trouble(
            ModelRejected(
                "The account at the language model's provider has no quota left (HTTP 429): check "
                "its plan and billing."
            ),
            status=status,
            healthy=True,
        )
    if status == 429:
        return Trouble(
            ModelUnavailable(
                "The language model's provider takes no more requests for now (HTTP 429): try "
                "again later.",
                retry_after=retry_after(response),
            ),
            status=status,
            healthy=True,
            retryable=True,
        )
    if status in (408, 409, 425) or status >= 500:
        return Trouble(
            ModelUnavailable(
                f"The language model's provider failed (HTTP {status}): try again later.",
                retry_after=retry_after(response),
            ),
            status=status,
            healthy=False,
            retryable=status != 501,
        )
    return _refused(status, status)


def _refused(reason: int, status: int) -> Trouble:
    error = ModelRejected(_REFUSALS.get(reason, _REFUSED).format(status=status))
    # What another model would refuse as well is the request itself.
    another = reason in _REFUSALS or reason == 402
    return Trouble(error, status=reason, healthy=True, another=another)


_REFUSED = (
    "The language model's provider refused the request (HTTP {status}): check LLM_MODEL and the "
    "other FLOTILLA_LLM settings."
)
_REFUSALS = {
    401: "The language model's provider did not accept the key (HTTP 401): check OPENAI_API_KEY.",
    403: "The key may not use this language model (HTTP 403): check LLM_MODEL and its rights.",
    404: "The provider has no such language model (HTTP 404): check LLM_MODEL and LLM_BASE_URL.",
    413: "The passages are too long for the model (HTTP {status}): ask with a smaller top_k.",
}


def retry_after(response: Any) -> float | None:
    """The seconds that a response asks to wait; None where it does not say, or there is none."""
    headers = getattr(response, "headers", None)
    return of_headers(headers) if headers is not None else None
