"""One call of the API as a value: what to send, and how to read the reply. No I/O here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from flotilla.client.sources import FileSource

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Operation(Generic[T]):
    """One request and the reader of its reply.

    `patience` is the seconds that the gateway may hold the reply back on purpose, on top of the
    client's own timeout. `repeatable` requests may be sent again when a reply is lost. `also`
    are the statuses beside 2xx that carry the same body.
    """

    method: str
    path: str
    parse: Callable[[bytes], T]
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    form: Mapping[str, str] | None = None
    files: Sequence[FileSource] = ()
    patience: float = 0.0
    repeatable: bool = False
    also: frozenset[int] = frozenset()


def get(path: str, reply: type[Model], **params: Any) -> Operation[Model]:
    """Read something; parameters that are None are left out."""
    return Operation("GET", path, reply.model_validate_json, params, repeatable=True)


def post(path: str, body: BaseModel, reply: type[Model], **options: Any) -> Operation[Model]:
    """Send a body, unvalidated and without optional fields that are None."""
    return Operation("POST", path, reply.model_validate_json, body=_content(body), **options)


def patch(path: str, body: BaseModel, reply: type[Model], **params: Any) -> Operation[Model]:
    """Change something; parameters that are None are left out."""
    return Operation(
        "PATCH", path, reply.model_validate_json, params, body=_content(body), repeatable=True
    )


def _content(body: BaseModel) -> dict[str, Any]:
    optional = {name for name, field in type(body).model_fields.items() if not field.is_required()}
    left_out = {name for name in optional if getattr(body, name) is None}
    return body.model_dump(mode="json", exclude=left_out, warnings=False)


def delete(path: str, reply: type[Model], **params: Any) -> Operation[Model]:
    """Delete something; parameters that are None are left out."""
    # Not repeatable: a second deletion would be another task, or a 404 for a success.
    return Operation("DELETE", path, reply.model_validate_json, params)


def segment(text: str) -> str:
    """A text as one segment of a path, whatever signs it has."""
    return quote(text, safe="")
