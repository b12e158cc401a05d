"""The addresses of Redis, Qdrant and the ledger's database, checked when they are read.

An address may hold a password, and one that cannot be parsed may hold it anywhere: no message
here repeats any part of what was given.
"""

from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator

ENCODED = "percent-encode special characters of a user name or a password"
DATABASES = ("sqlite", "postgresql", "postgres")


def _split(address: str, schemes: tuple[str, ...], example: str) -> SplitResult:
    """The parts of an address that begins with one of the schemes.

    Raises:
        ValueError: it begins with another, has no form, or its port is none.
    """
    allowed = " or ".join(f"{scheme}://" for scheme in schemes)
    try:
        parts = urlsplit(address)
    except ValueError:
        raise ValueError(f"not an address; give one such as {example}, and {ENCODED}") from None
    if parts.scheme not in schemes or not address.lower().startswith(f"{parts.scheme}://"):
        raise ValueError(f"the address has to begin with {allowed}; give one such as {example}")
    _check_port(parts, example)
    return parts


def _check_port(parts: SplitResult, example: str) -> None:
    try:
        possible = parts.port is None or parts.port > 0
    except ValueError:
        possible = False
    if not possible:
        raise ValueError(
            "the port has to be a number from 1 to 65535; "
            f"give an address such as {example}, and {ENCODED}"
        )


def check_redis_url(address: str) -> str:
    """The address as it is.

    Raises:
        ValueError: it is none of a Redis.
    """
    example = "redis://127.0.0.1:6379/0"
    parts = _split(address, ("redis", "rediss"), example)
    number = parts.path.strip("/")
    if number and not (number.isascii() and number.isdigit()):
        raise ValueError(f"the path has to be a database's number; give one such as {example}")
    return address


def check_qdrant_url(address: str) -> str:
    """The address as it is.

    Raises:
        ValueError: it is none of a server that speaks HTTP.
    """
    return _web_address(address, "http://127.0.0.1:6333")


def check_model_url(address: str) -> str:
    """The address as it is.

    Raises:
        ValueError: it is none of a server that speaks HTTP.
    """
    return _web_address(address, "http://127.0.0.1:11434/v1")


def _web_address(address: str, example: str) -> str:
    if not _split(address, ("http", "https"), example).hostname:
        raise ValueError(f"the host is missing; give an address such as {example}, and {ENCODED}")
    return address


def check_blob_url(address: str) -> str:
    """The address as it is.

    Raises:
        ValueError: it is neither a folder's nor a bucket's.
    """
    scheme, separator, _ = address.partition("://")
    if separator and scheme not in ("file", "s3"):
        raise ValueError("the address has to be a folder, or begin with file:// or s3://")
    return address


def check_database_url(address: str) -> str:
    """The address as it is.

    Raises:
        ValueError: SQLAlchemy cannot parse it, or it is of a database that the ledger cannot use.
    """
    # Not needed where no address is given, and slow to import.
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    example = "postgresql://user:password@host:5432/flotilla"
    wrong = f"not a database's address; give one such as {example}, and {ENCODED}"
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise ValueError(wrong) from None
    if url.get_backend_name() not in DATABASES:
        raise ValueError(
            "the ledger is kept in SQLite or PostgreSQL; the address has to begin with "
            f"sqlite:/// or postgresql://, such as {example}"
        )
    if url.port is not None and not 1 <= url.port <= 65535:
        raise ValueError("the port has to be a number from 1 to 65535")
    return address


RedisURL = Annotated[str, AfterValidator(check_redis_url)]
QdrantURL = Annotated[str, AfterValidator(check_qdrant_url)]
ModelURL = Annotated[str, AfterValidator(check_model_url)]
BlobURL = Annotated[str, AfterValidator(check_blob_url)]
DatabaseURL = Annotated[str, AfterValidator(check_database_url)]
