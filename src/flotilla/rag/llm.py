"""The chat model: built from the settings, and its failures as Flotilla's errors."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flotilla.errors import ConfigurationError, FlotillaError, ModelRejected, ModelUnavailable
from flotilla.retry_after import of_headers
from flotilla.settings import LLMSettings

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, BaseMessage

KEYLESS = "none"
"""What is sent as the key to a server of one's own that asks for none."""


_OPENAI_HOSTS = (".openai.com", ".azure.com")


def build_chat_model(settings: LLMSettings) -> "BaseChatModel":
    """The chat model that `LLM_MODEL` names.

    It never retries by itself: attempts and their pauses belong to the task.

    Raises:
        ConfigurationError: the name is not understood, its package is not installed, or a key is
            missing.
    """
    from langchain.chat_models import init_chat_model

    options: dict[str, Any] = {
        "timeout": settings.timeout,
        "max_retries": 0,
        "max_tokens": settings.max_tokens,
        "temperature": settings.temperature,
    }
    name, provider = settings.model, None
    if settings.base_url is not None:
        options["base_url"] = settings.base_url
        if not _names_provider(name):
            provider = "openai"
    openai = provider == "openai" or name.startswith(("openai:", "gpt-", "o1", "o3", "o4"))
    if openai:
        key = settings.api_key.get_secret_value() if settings.api_key is not None else None
        if key is None and settings.base_url is None:
            raise ConfigurationError(
                f"LLM_MODEL is {name!r} but OPENAI_API_KEY is not set: set it, or set LLM_BASE_URL "
                "for a server that needs none."
            )
        options["api_key"] = key or KEYLESS
        if settings.base_url is not None:
            # Compatible servers have chat completions; few have OpenAI's newer protocol.
            options["use_responses_api"] = False
            if not (urlsplit(settings.base_url).hostname or "").endswith(_OPENAI_HOSTS):
                # LangChain would send `max_completion_tokens`, which some of them ignore and
                # others refuse.
                options["extra_body"] = {"max_tokens": options.pop("max_tokens")}
    try:
        model: BaseChatModel = init_chat_model(name, model_provider=provider, **options)
    except ImportError:
        package = f"langchain-{name.partition(':')[0].replace('_', '-')}"
        raise ConfigurationError(
            f"LLM_MODEL is {name!r}, whose LangChain integration is not installed: install "
            f"{package}."
        ) from None
    except ValueError as error:
        raise ConfigurationError(
            f"LLM_MODEL is {name!r}, which is no model that can be used: write it as "
            f"`provider:model`, such as `openai:gpt-4o-mini` ({type(error).__name__})."
        ) from None
    return model


def _names_provider(name: str) -> bool:
    """Whether a model string begins with a provider, and not with a model's own name: a server
    of one's own may well call a model `llama3:8b`."""
    prefix, colon, _ = name.partition(":")
    module = f"langchain_{prefix}"
    return bool(colon) and module.isidentifier() and find_spec(module) is not None


def complete(model: "BaseChatModel", messages: Sequence["BaseMessage"]) -> "AIMessage":
    """The model's reply.

    Tracing to LangSmith is off, whatever the environment says: users' documents go to the model
    that they chose and to nobody else.

    Raises:
        ModelUnavailable: no connection, no reply in time, too many requests (429) or a failure
            of the provider (5xx); `retry_after` is what the provider asked for.
        ModelRejected: the provider refused the request, or what it sent is not a reply.
    """
    from langsmith import tracing_context

    try:
        with tracing_context(enabled=False):
            return model.invoke(list(messages))
    except Exception as error:  # noqa: BLE001 - every provider has exceptions of its own
        # Without the cause: its text may hold the key, and the traceback would be logged.
        raise failure(error) from None


def failure(error: Exception) -> FlotillaError:
    """What a provider's exception means, without a word of its text: that may hold a key."""
    import openai

    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
    if not isinstance(status, int) or 200 <= status < 300:
        if isinstance(error, (openai.APITimeoutError, TimeoutError)):
            return ModelUnavailable(
                "The language model did not answer in time: try again, or raise "
                "FLOTILLA_LLM_TIMEOUT."
            )
        if (
            isinstance(error, (openai.APIConnectionError, OSError))
            # The exceptions that LangChain gives other providers say so themselves.
            or getattr(error, "is_retryable", False)
        ):
            return ModelUnavailable(
                "The language model's server cannot be reached: check LLM_BASE_URL and the "
                "network, or try again later."
            )
        return ModelRejected(
            "The language model's server sent something that is not a chat completion: check "
            "that LLM_BASE_URL is the address of an OpenAI-compatible API, usually ending in /v1."
        )
    if getattr(error, "code", None) == "context_length_exceeded":
        return ModelRejected(_REFUSALS[413].format(status=status))
    if status == 429 and getattr(error, "code", None) == "insufficient_quota":
        return ModelRejected(
            "The account at the language model's provider has no quota left (HTTP 429): check its "
            "plan and billing."
        )
    if status == 429:
        return ModelUnavailable(
            "The language model's provider takes no more requests for now (HTTP 429): try again "
            "later.",
            retry_after=retry_after(response),
        )
    if status in (408, 409, 425) or status >= 500:
        return ModelUnavailable(
            f"The language model's provider failed (HTTP {status}): try again later.",
            retry_after=retry_after(response),
        )
    return ModelRejected(_REFUSALS.get(status, _REFUSED).format(status=status))


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
