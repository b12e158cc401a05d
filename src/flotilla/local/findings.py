"""What `flotilla doctor` has found."""

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Finding:
    """What was looked at, whether it is well, what was seen, and how to mend it if it is not."""

    name: str
    ok: bool
    detail: str
    remedy: str | None = None


def without_password(url: str) -> str:
    """An address as it may be shown."""
    password = urlsplit(url).password
    return url.replace(f":{password}@", ":***@") if password else url
