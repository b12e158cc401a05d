"""Requests that no schema leads to: broken bodies, wrong claims, odd ids, parameters and headers.

The list follows from the OpenAPI document alone, so it is the same at each run.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.fuzz.broken_bodies import (
    BODIES,
    CONTENT_TYPES,
    UPLOAD_TYPE,
    UPLOADS,
    WHOLE_UPLOAD,
    spoilt,
    with_odd_values,
)

METHODS = ("get", "post", "put", "patch", "delete")
JSON, FORM = "application/json", "multipart/form-data"
NOBODY = "019a0000-0000-7000-8000-000000000000"
Headers = tuple[tuple[bytes, bytes], ...]

IDS = ("%00", "%ff%fe", "%ed%a0%80", "a" * 3000, "..%2f..", "%F0%9F%98%80", "%0d%0ax:%20y", NOBODY)
PARAMETERS = (
    *("", "%00", "%ff", "%ed%a0%80", "9" * 400, "-1", "1e400", "nan", "inf", "a" * 9000, "%"),
    *("%F0%9F%98%80", "9223372036854775808", "%0d%0a", "[]"),
)
HEADERS: dict[str, Headers] = {
    "a cookie of 60,000 bytes": ((b"cookie", b"a" * 60_000),),
    "500 headers": tuple((b"x-%d" % at, b"1" * 50) for at in range(500)),
    "an odd host": ((b"host", b"[::"),),
    "no host": ((b"host", b""),),
    "a host that is no ASCII": ((b"host", b"\xff\xfe"),),
    "an id that is no ASCII": ((b"x-request-id", b"\xff\xfe\xc3"),),
    "a long id": ((b"x-request-id", b"a" * 9000),),
    "what it does not have": ((b"accept", b"\xff/\xff;q=nan"), (b"accept-encoding", b"nosuch")),
    "a packing that is unknown": ((b"content-encoding", b"nosuch"),),
    "a packing that is not there": ((b"content-encoding", b"gzip"),),
    "an expectation": ((b"expect", b"nosuch"),),
    "a key": ((b"authorization", b"Bearer \xff"), (b"x-api-key", b"' OR 1=1")),
    "a range": ((b"range", b"bytes=9-1"), (b"if-none-match", b"*"), (b"if-range", b"\xff")),
    "forwarded from nowhere": ((b"x-forwarded-for", b"\xff"), (b"x-forwarded-proto", b"x")),
    "a page of nobody's": ((b"origin", b"null"), (b"referer", b"\xff")),
}


@dataclass(frozen=True)
class BrokenRequest:
    """One request. `target` is path and query, percent-encoded; `label` names the operation as the
    document has it; `kind` and `what` say how it is broken."""

    method: str
    template: str
    target: str
    kind: str
    what: str
    headers: Headers = ()
    body: bytes = b""

    @property
    def label(self) -> str:
        return f"{self.method.upper()} {self.template}"

    def __str__(self) -> str:
        return f"{self.label}, {self.kind}: {self.what}"


def broken_requests(
    document: Mapping[str, Any], known: Mapping[str, str]
) -> Iterator[BrokenRequest]:
    """All of them, operation by operation.

    Args:
        document: the OpenAPI document.
        known: ids that exist, by the name of the parameter, so that more than a 404 is met.
    """
    for template, operations in document["paths"].items():
        for method in METHODS:
            if method in operations:
                yield from _Operation(document, template, method, known).requests()


class _Operation:
    def __init__(
        self, document: Mapping[str, Any], template: str, method: str, known: Mapping[str, str]
    ) -> None:
        self._template, self._method = template, method
        self._definitions = document["components"]["schemas"]
        said = document["paths"][template][method]
        self._parameters = said.get("parameters", [])
        self._content: dict[str, Any] = said.get("requestBody", {}).get("content", {})
        # What exists is to exist for the next one too.
        ids = {} if method == "delete" else known
        self._path = re.sub(r"{(.*?)}", lambda found: ids.get(found[1], NOBODY), template)

    def requests(self) -> Iterator[BrokenRequest]:
        yield from self._odd_paths()
        yield from self._odd_parameters()
        if self._content:
            yield from self._broken_bodies()
            yield from self._odd_headers()
        if JSON in self._content:
            yield from self._broken_json()
        if FORM in self._content:
            for what, body in UPLOADS.items():
                yield self._request("upload", what, body, UPLOAD_TYPE)

    def _request(
        self,
        kind: str,
        what: str,
        body: bytes = b"",
        claimed: bytes | None = None,
        target: str | None = None,
        headers: Headers = (),
    ) -> BrokenRequest:
        if claimed is not None:
            headers = ((b"content-type", claimed), *headers)
        method, template = self._method, self._template
        return BrokenRequest(method, template, target or self._path, kind, what, headers, body)

    def _odd_paths(self) -> Iterator[BrokenRequest]:
        body, claimed = self._whole()
        for odd in IDS if "{" in self._template else ():
            target = re.sub(r"{.*?}", odd.replace("\\", r"\\"), self._template)
            yield self._request("path", odd[:20], body, claimed, target)

    def _odd_parameters(self) -> Iterator[BrokenRequest]:
        body, claimed = self._whole()
        for parameter in self._parameters:
            name = parameter["name"]
            for odd in PARAMETERS if parameter["in"] == "query" else ():
                for query in (f"{name}={odd}", f"{name}=1&{name}={odd}"):
                    target = f"{self._path}?{query}"
                    yield self._request("query", query[:40], body, claimed, target)
            for odd in PARAMETERS if parameter["in"] == "header" else ():
                header = (name.lower().encode(), odd.encode())
                yield self._request("header", f"{name}: {odd[:20]}", headers=(header,))

    def _broken_bodies(self) -> Iterator[BrokenRequest]:
        claimed = next(iter(self._content)).encode()
        for what, body in BODIES.items():
            yield self._request("body", what, body, claimed)
            yield self._request("body", f"{what}, as an upload", body, UPLOAD_TYPE)
        whole, _ = self._whole()
        for claim in CONTENT_TYPES:
            for what, body in (("a good body", whole), ("nothing", b""), ("{", b"{")):
                shown = "no type" if claim is None else repr(claim[:60])
                yield self._request("type", f"{shown}, {what}", body, claim)

    def _odd_headers(self) -> Iterator[BrokenRequest]:
        body, claimed = self._whole()
        for what, headers in HEADERS.items():
            yield self._request("header", what, body, claimed, headers=headers)

    def _broken_json(self) -> Iterator[BrokenRequest]:
        said = self._content[JSON]
        example = said.get("example", {})
        for what, body in spoilt(example).items():
            yield self._request("body", what, body, JSON.encode())
        for what, body in with_odd_values(said["schema"], example, self._definitions):
            yield self._request("value", what, body, JSON.encode())

    def _whole(self) -> tuple[bytes, bytes | None]:
        """A body that the operation takes, and what it says of itself."""
        if JSON in self._content:
            return json.dumps(self._content[JSON].get("example", {})).encode(), JSON.encode()
        return (WHOLE_UPLOAD, UPLOAD_TYPE) if FORM in self._content else (b"", None)
