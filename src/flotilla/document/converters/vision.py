"""Summaries of pictures by a model on a server that speaks OpenAI's protocol.

A picture is sent only where a model is configured for it, and costs one request of a bounded
number of tokens. That the model fails never costs a document more than the summaries.
"""

import base64
import io
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from billiard.exceptions import SoftTimeLimitExceeded

from flotilla.deadlines import Deadline
from flotilla.document.prompts import DESCRIBE_PICTURE, prompt
from flotilla.errors import ConverterUnavailable
from flotilla.logging import get_logger
from flotilla.models import Note
from flotilla.retry_after import of_headers

if TYPE_CHECKING:
    import numpy as np
    import openai

    from flotilla.settings import Settings

    Pixels = np.ndarray[Any, np.dtype[np.uint8]]

logger = get_logger(__name__)

JPEG_QUALITY = 85
LONGEST_SUMMARY = 2000
"""Characters: what the tokens that are allowed may come to, and more than five sentences need."""
ATTEMPTS = 3
LONGEST_PAUSE = 10.0
"""Seconds: of a Retry-After that is waited for."""
KEYLESS = "none"
"""What is sent as the key to a server that asks for none."""
NOTHING = re.compile(r"\W*NOTHING\W*", re.IGNORECASE)
MARKUP = re.compile(r"[\x00-\x1f\x7f]|[*_`#]{2,}|^[#>*-]+\s", re.MULTILINE)
"""What a model may write of Markdown, and what cannot be shown."""
PASSING = frozenset((408, 409, 425, 429, 500, 502, 503, 504))


class PictureDescriber:
    """Asks the model; one instance a conversion, which asks no more once it was refused.

    Args:
        settings: the model, its server and what a picture may cost.

    Raises:
        ConverterUnavailable: the model is none of a server of OpenAI's protocol, or has no key.
    """

    def __init__(self, settings: "Settings") -> None:
        self._model = settings.llm.vision_model or ""
        provider, separator, name = self._model.partition(":")
        if settings.llm.base_url is None:
            if provider != "openai" or not name:
                raise ConverterUnavailable(
                    "FLOTILLA_LLM_VISION_MODEL has to be openai:NAME, unless LLM_BASE_URL names a "
                    "server that speaks OpenAI's protocol."
                )
            if settings.llm.api_key is None:
                raise ConverterUnavailable(
                    "FLOTILLA_LLM_VISION_MODEL is one of OpenAI's but OPENAI_API_KEY is not set."
                )
        self._name = name if separator and provider == "openai" else self._model
        self._pictures = settings.pictures
        self._client = _client(settings)
        self._refused: str | None = None
        self._failed = 0
        self._left_out = 0

    def describe_all(
        self, pictures: Sequence[tuple[str, bytes]], ends: float, beat: Callable[[], None]
    ) -> dict[str, str]:
        """Summaries by the pictures' names; of some there is none.

        Args:
            pictures: names and JPEGs.
            ends: when no more are asked about, as `time.monotonic` counts.
            beat: called between pictures; what it raises ends the work.
        """
        said: dict[str, str] = {}
        with ThreadPoolExecutor(self._pictures.concurrency) as threads:
            asked = [(name, threads.submit(self._ask, jpeg, ends)) for name, jpeg in pictures]
            try:
                for name, reply in asked:
                    if text := reply.result():
                        said[name] = text
                    beat()
            except BaseException:
                self._refused = "The conversion has ended."
                threads.shutdown(wait=False, cancel_futures=True)
                raise
        return said

    def describe(self, pixels: "Pixels") -> str | None:
        """The summary of one picture, given as shape (height, width, 3) with blue first."""
        ends = time.monotonic() + self._pictures.seconds
        return self._ask(jpeg(pixels, self._pictures.max_side), ends)

    def notes(self) -> list[Note]:
        """What there is to say of the pictures that were asked about until now."""
        notes = []
        if self._failed:
            why = self._refused or "the model's server did not reply"
            notes.append(
                Note(
                    code="pictures_not_described",
                    message=f"Pictures have no summary, since {why}.",
                )
            )
        if self._left_out:
            notes.append(left_out(()))
        return notes

    def _ask(self, picture: bytes, ends: float) -> str | None:
        """What the model says of a JPEG; None where it is an ornament, or where it failed."""
        for attempt in range(1, ATTEMPTS + 1):
            if self._refused is not None:
                self._failed += 1
                return None
            left = ends - time.monotonic()
            if left <= 0:
                self._left_out += 1
                return None
            try:
                with Deadline(min(left, self._pictures.timeout)).active():
                    return _summary(self._request(picture))
            except SoftTimeLimitExceeded:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the document goes on
                pause = self._pause(error, attempt)
                if pause is None or attempt == ATTEMPTS or pause > ends - time.monotonic():
                    self._failed += 1
                    return None
                time.sleep(pause)
        return None

    def _request(self, picture: bytes) -> str:
        address = f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"
        reply = self._client.chat.completions.create(
            model=self._name,
            max_tokens=self._pictures.max_tokens,
            temperature=0.0,
            messages=[
                {"role": "system", "content": prompt(DESCRIBE_PICTURE)},
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": address}}],
                },
            ],
        )
        return reply.choices[0].message.content or ""

    def _pause(self, error: Exception, attempt: int) -> float | None:
        """Seconds to the next attempt; None where there is none, whose reason is then known."""
        status = getattr(error, "status_code", None)
        # Its text may hold the key.
        logger.warning("picture.not_described", error=type(error).__name__, status=status)
        if isinstance(status, int) and status not in PASSING and 400 <= status < 500:
            # That one picture is not taken says nothing of the others.
            if status not in (400, 413, 422):
                self._refused = _REFUSALS.get(
                    status, f"the vision model's server refused the request (HTTP {status})"
                )
            return None
        if isinstance(status, int) and getattr(error, "code", None) == "insufficient_quota":
            self._refused = "the account at the vision model's provider has no quota left"
            return None
        response = getattr(error, "response", None)
        told = of_headers(response.headers) if response is not None else None
        pause = told if told is not None else 0.5 * 2**attempt
        return pause if pause <= LONGEST_PAUSE else None


def left_out(pages: Sequence[int]) -> Note:
    """What there is to say where the time for pictures was not enough."""
    return Note(
        code="pictures_left_out",
        message="There was no time left for some pictures: raise FLOTILLA_PICTURES_SECONDS or "
        "FLOTILLA_PICTURES_CONCURRENCY.",
        pages=tuple(sorted(set(pages))),
    )


_REFUSALS = {
    401: "the vision model's server did not accept the key (HTTP 401): check OPENAI_API_KEY",
    403: "the key may not use the vision model (HTTP 403): check FLOTILLA_LLM_VISION_MODEL",
    404: "the server has no such vision model (HTTP 404): check FLOTILLA_LLM_VISION_MODEL",
}


def _summary(reply: str) -> str | None:
    """One paragraph of plain text, whatever the model has made of it."""
    text = " ".join(MARKUP.sub(" ", reply).split())
    if not text or NOTHING.fullmatch(text):
        return None
    if len(text) > LONGEST_SUMMARY:
        text = text[:LONGEST_SUMMARY].rpartition(" ")[0] + " …"
    return text


def jpeg(pixels: "Pixels", max_side: int) -> bytes:
    """A picture of shape (height, width, 3), blue first, as a JPEG of bounded size."""
    from PIL import Image

    image = Image.fromarray(pixels[:, :, ::-1])
    image.thumbnail((max_side, max_side))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


def _client(settings: "Settings") -> "openai.OpenAI":
    import openai

    from flotilla.bounded_network import bound_client

    llm = settings.llm
    return openai.OpenAI(
        api_key=llm.api_key.get_secret_value() if llm.api_key is not None else KEYLESS,
        base_url=llm.base_url,
        max_retries=0,  # attempts and their pauses are counted here
        http_client=bound_client(llm.base_url, settings.pictures.timeout),
    )
