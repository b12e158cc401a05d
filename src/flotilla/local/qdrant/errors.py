"""What the Qdrant node refuses, with the status that a Qdrant server answers."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from flotilla.errors import FlotillaError

NO_SPACE = os.strerror(errno.ENOSPC)  # as the engine passes it on


class BadRequest(FlotillaError):
    """The request to the Qdrant node is malformed."""

    code, status = "qdrant_bad_request", 400


class Missing(FlotillaError):
    """The Qdrant node holds nothing under this name or id."""

    code, status = "qdrant_not_found", 404


class Taken(FlotillaError):
    """The Qdrant node has this name already."""

    code, status = "qdrant_name_taken", 409


class EngineFailure(FlotillaError):
    """Qdrant's engine failed."""

    code, status = "qdrant_engine_failure", 500


class StorageFull(FlotillaError):
    """The Qdrant node's disk is full."""

    code, status, retryable = "qdrant_storage_full", 507, True


class Unimplemented(FlotillaError):
    """The Qdrant node does not implement this.

    Args:
        feature: the request's method and path, or the name of its part.
    """

    code, status = "qdrant_not_implemented", 501

    def __init__(self, feature: str) -> None:
        super().__init__(f"not implemented: {feature}")


@contextmanager
def parsing() -> Iterator[None]:
    """Turn whatever a malformed body trips over into `BadRequest`.

    Raises:
        BadRequest: the block met a value of a wrong type, form or range.
    """
    try:
        yield
    except KeyError as error:
        raise BadRequest(f"Format error in JSON body: missing field {error}") from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BadRequest(f"Format error in JSON body: {error}") from error


@contextmanager
def engine() -> Iterator[None]:
    """Turn an error of the engine into the class with the status that the server gives it.

    The engine raises bare `Exception`; only its message says of what kind it is.

    Raises:
        Missing: a point is not there.
        EngineFailure: the engine failed or panicked.
        StorageFull: there was no room for what it had to write.
        BadRequest: anything else, which is the request's fault.
    """
    try:
        yield
    except FlotillaError:
        raise
    except Exception as error:
        message = str(error)
        if message.startswith("No point with id"):
            raise Missing(f"Not found: {message}") from error
        if NO_SPACE in message or getattr(error, "errno", None) == errno.ENOSPC:
            raise StorageFull(f"Service runtime error: {message}") from error
        if message.startswith("Service ") or isinstance(error, OSError):
            raise EngineFailure(message) from error
        raise BadRequest(f"Wrong input: {message}") from error
    except BaseException as error:
        # A panic of the engine is no Exception, and unhandled it would end the event loop.
        if type(error).__name__ != "PanicException":
            raise
        raise EngineFailure(f"Service internal error: {error}") from error
