"""Which converters a submission may ask for, as far as the gateway can tell.

The workers of the document fleet show in Redis what they have. While none of them is there, or
Redis does not answer, any converter is taken: the fleet says itself what it lacks.
"""

import redis

from flotilla.errors import ConverterUnavailable, InvalidRequest
from flotilla.heartbeats import live_workers
from flotilla.models import ConverterName
from flotilla.redis_connections import get_quick_redis

NEEDS = {
    ConverterName.OCR: "install the extra `ocr` on the workers of the document fleet",
    ConverterName.LLAMAPARSE: "install the extra `llamaparse` on the workers of the document "
    "fleet and set LLAMA_CLOUD_API_KEY there",
}
"""What has to be done for a converter that is not there by itself."""


def read_converter(name: str | None) -> ConverterName:
    """The converter of a form field; `auto` where it is left out.

    Raises:
        InvalidRequest: there is none of this name.
    """
    try:
        return ConverterName(name or ConverterName.AUTO)
    except ValueError:
        names = ", ".join(ConverterName)
        raise InvalidRequest(
            f"There is no converter {(name or '')[:40]!r}: send one of {names}.", field="converter"
        ) from None


def check_converter(converter: ConverterName) -> None:
    """Refuse a converter that no worker of the document fleet has. May wait for Redis, a second.

    Raises:
        ConverterUnavailable: saying what has to be installed or set.
    """
    if converter not in NEEDS:
        return
    try:
        shown = [
            worker["converters"]
            for worker in live_workers("document", client=get_quick_redis())
            if "converters" in worker
        ]
    except redis.RedisError:
        return
    if shown and not any(converter.value in converters for converters in shown):
        raise ConverterUnavailable(
            f"No worker can read documents with {converter.value}: {NEEDS[converter]}, or leave "
            "the field out.",
            field="converter",
        )
