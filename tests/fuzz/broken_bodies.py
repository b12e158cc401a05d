"""Bodies that are no JSON, hold what JSON should not, or are no form; and what they claim to be."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

from tests.fuzz.originals import PASSAGE

DEEP = 100_000
LONG_NUMBER = "1" * 5000

BODIES: dict[str, bytes] = {
    "nothing": b"",
    "an open brace": b"{",
    "only white space": b" \r\n\t",
    "two documents": b'{"a":1}{"a":1}',
    "a comma too many": b'{"a":1,}',
    "single quotes": b"{'a':1}",
    "a comment": b'{"a":1 /* x */}',
    "brackets never closed": b"[" * DEEP,
    "objects never closed": b'{"a":' * DEEP,
    "brackets, deep": b"[" * DEEP + b"]" * DEEP,
    "objects, deep": b'{"a":' * 3000 + b"1" + b"}" * 3000,
    "a number of 5,000 digits": LONG_NUMBER.encode(),
    "a number beyond all": b"1e400",
    "not a number": b"NaN",
    "zeros": b"\0" * 10,
    "half a surrogate pair": b'{"a":"\xed\xa0\x80"}',
    "half a surrogate pair, escaped": b'{"a":"\\ud800"}',
    "no UTF-8": b'{"a":"\xff\xfe"}',
    "a byte order mark": b'\xef\xbb\xbf{"a":1}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-32": '{"a":1}'.encode("utf-32"),
    "null": b"null",
    "a number": b"0",
    "a text": b'"a"',
    "a list": b"[{}]",
    "an empty object": b"{}",
    "a form": b"a=1&b=%00&c=%ff",
    "part of an upload": b'--x\r\ncontent-disposition: form-data; name="files"\r\n\r\nx',
}
"""Bodies that are wrong for every operation, by what is wrong with them."""

CONTENT_TYPES: tuple[bytes | None, ...] = (
    None,
    b"",
    b"*/*",
    b"a" * 5000,
    b"\xff/\xfe",
    b"text/plain",
    b"application/xml",
    b"application/octet-stream",
    b"application/x-www-form-urlencoded",
    b"application/json; charset=utf-16",
    b"application/json; charset=nosuch",
    b"application/json;;;=\x80",
    b"application/problem+json",
    b"multipart/form-data",
    b"multipart/form-data; boundary=",
    b'multipart/form-data; boundary="x',
    b"multipart/form-data; boundary=x; charset=nosuch",
    b"multipart/form-data; boundary=" + b"b" * 300,
    b"multipart/mixed; boundary=x",
)
"""What a body may claim to be; None stands for no claim."""

VALUES = (
    *(f'"{text}"' for text in ("", "a\\u0000b", "\\u0000", "\\ud800", "\\udc00\\ud800", "\\uffff")),
    *(f'"{text}"' for text in ("\\u202e", "../../x", "%00", "' OR 1=1 --", "x" * 70_000)),
    *("1e400", "-1e400", "NaN", "-Infinity", "9223372036854775808", "-9223372036854775809"),
    *("99999999999999999999999999999999999999", "-0", "1e-400", LONG_NUMBER, "0.1", "true", "null"),
    *("[]", "{}", "[[[[[]]]]]", '{"\\ud800":1}', '{"a\\u0000":"b"}', "[" * 3000 + "]" * 3000),
)
"""JSON as written, put where an operation expects something else."""

PLACE = "\0place\0"


def spoilt(example: Any) -> dict[str, bytes]:
    """A body that an operation would take, broken in as many ways."""
    written = json.dumps(example)
    whole = written.encode()
    return {
        "cut in the middle": whole[: len(whole) // 2],
        "a zero at the end": whole + b"\0",
        "said twice": whole * 2,
        "in UTF-16": written.encode("utf-16"),
        "in UTF-7": written.encode("utf-7"),
        "a Latin-1 letter": whole.replace(b'"', b'"\xfc', 1),
        "packed, and not said so": gzip.compress(whole, mtime=0),
        "an unknown member": whole[:-1] + b', "\\ud800\\u0000": 1}',
        "every member twice": whole[:-1] + b", " + whole[1:],
    }


def with_odd_values(schema: Any, example: Any, definitions: Any) -> Iterator[tuple[str, bytes]]:
    """An operation's example, each of its members in turn being each of VALUES."""
    for path in dict.fromkeys(_places(_skeleton(schema, definitions))):
        body = json.loads(json.dumps(example))
        if not _put(body, path):
            continue
        written = json.dumps(body)
        for value in VALUES:
            name = f"{'.'.join(map(str, path))} = {value[:20]}"
            yield name, written.replace(json.dumps(PLACE), value).encode()


def _skeleton(schema: Any, definitions: Any) -> Any:
    """Something of the schema's form, all its members there."""
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return _skeleton(schema[several][0], definitions)
    if schema.get("properties"):
        members = schema["properties"].items()
        return {name: _skeleton(member, definitions) for name, member in members}
    if schema.get("type") == "array":
        return [_skeleton(schema.get("items", {}), definitions)]
    return None


def _places(value: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if above:
        yield above
    members = value.items() if isinstance(value, dict) else ()
    for name, member in members:
        yield from _places(member, (*above, name))
    if isinstance(value, list):
        yield from _places(value[0], (*above, 0))


def _put(body: Any, path: tuple[str | int, ...]) -> bool:
    """Put PLACE there, making what is not there yet; False where something else is."""
    for name, following in zip(path, (*path[1:], None), strict=True):
        new: Any = PLACE if following is None else [] if following == 0 else {}
        if isinstance(body, list) and name == 0:
            body[:] = [new if following is None else (body or [new])[0]]
        elif isinstance(body, dict) and isinstance(name, str):
            body[name] = new if following is None else body.get(name) or new
        else:
            return False
        body = body[name]
    return True


def _part(head: bytes, content: bytes = b"x") -> bytes:
    return b"--x\r\n" + head + b"\r\n\r\n" + content + b"\r\n"


def _file(name: bytes, content: bytes = PASSAGE.encode(), more: bytes = b"") -> bytes:
    head = b'content-disposition: form-data; name="files"; filename="' + name + b'"' + more
    return _part(head, content)


def _field(name: bytes, content: bytes) -> bytes:
    return _part(b'content-disposition: form-data; name="' + name + b'"', content)


END = b"--x--\r\n"
FILE = _file(b"a.txt")
WHOLE_UPLOAD = FILE + END
UPLOAD_TYPE = b"multipart/form-data; boundary=x"
UPLOADS: dict[str, bytes] = {
    "nothing": b"",
    "only the end": END,
    "no end": FILE,
    "another boundary": FILE.replace(b"--x", b"--y") + END,
    "cut in a part's head": FILE[:20],
    "cut in a part": FILE[:-20],
    "text before and after": b"before\r\n" + FILE + END + b"after" * 100,
    "bare line feeds": (FILE + END).replace(b"\r\n", b"\n"),
    "a part without a head": b"--x\r\n\r\nx\r\n" + END,
    "a part without a disposition": _part(b"content-type: text/plain") + END,
    "a part without a name": _part(b"content-disposition: form-data") + END,
    "a head without a colon": _part(b"content-disposition form-data") + END,
    "zeros in a head": _part(b'content-disposition: form-data; name="fi\0les"') + END,
    "no ASCII in a head": _part(b'content-\xff: form-data; name="\xff"') + END,
    "a long head": _part(b'content-disposition: form-data; name="' + b"a" * 100_000 + b'"') + END,
    "many heads": _part(b"\r\n".join(b"x-%d: 1" % at for at in range(2000))) + END,
    "many fields": b"".join(_field(b"f%d" % at, b"") for at in range(3000)) + END,
    "many files": b"".join(_file(b"%d.txt" % at, b"") for at in range(1200)) + END,
    "a name with a zero": _file(b"a\0b.txt") + END,
    "a name with half a surrogate pair": _file(b"\xed\xa0\x80.txt") + END,
    "a name without end": _file(b"a" * 5000 + b".txt") + END,
    "a name that climbs": _file(b"../../../etc/passwd") + END,
    "an empty name": _file(b"") + END,
    "two kinds of name": _file(b"a.txt", more=b"; filename*=utf-8''%00%ff.txt") + END,
    "an odd type of a part": _file(b"a.txt", more=b"\r\ncontent-type: \xff; charset=nosuch") + END,
    "a part in base64": _file(b"a.txt", more=b"\r\ncontent-transfer-encoding: base64") + END,
    "an upload in an upload": _file(
        b"a.txt", FILE + END, b"\r\ncontent-type: multipart/mixed; boundary=x"
    )
    + END,
    "a text for the file": _field(b"files", b"x") + END,
    "a file for a text": FILE.replace(b'"files"', b'"collection"') + FILE + END,
    **{
        f"{name} = {content[:12]!r}": _field(name.encode(), content) + FILE + END
        for name in ("collection", "metadata", "password", "callback_url", "batch")
        for content in (
            *(b"", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"x" * 70_000, b"1e400", b"{", b"null"),
            *(b'{"a":"\\u0000"}', b'{"\\ud800":1}', b'{"a":1e400}', b'{"a":' * 9000, b"[" * DEEP),
            *(b'{"a":' + LONG_NUMBER.encode() + b"}", b"http://[", b"file:///etc/passwd"),
        )
    },
    "a field twice": _field(b"collection", b"a") * 2 + FILE + END,
}
"""Uploads with the boundary `x`, by what is wrong with them."""
