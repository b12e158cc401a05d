"""Mutations of a PDF: its objects, what refers to what, its streams and its table of offsets."""

import random
import re
import zlib

from tests.fuzz import mutate_bytes
from tests.fuzz.dice import length, number, place
from tests.fuzz.mutate_bytes import Mutation

OBJECT = re.compile(rb"(?<!\d)(\d{1,7}) (\d{1,5}) obj\b(.*?)\bendobj", re.DOTALL)
REFERENCE = re.compile(rb"(?<!\d)(\d{1,7}) \d{1,5} R\b")
NAME = re.compile(rb"/[A-Za-z][\w.#+-]*")
STREAM = re.compile(rb"stream\r?\n(.*?)\r?\n?endstream", re.DOTALL)
TRAILER = re.compile(rb"trailer\s*(<<.*?>>)\s*startxref", re.DOTALL)
NAMES = (
    b"/Kids /Parent /Type /Page /Pages /Catalog /Count /Length /Filter /FlateDecode /LZWDecode "
    b"/ASCII85Decode /ASCIIHexDecode /RunLengthDecode /DCTDecode /JBIG2Decode /JPXDecode /Crypt "
    b"/DecodeParms /Predictor /Columns /Contents /Resources /Font /Encoding /ToUnicode /Widths "
    b"/FirstChar /LastChar /Type0 /Type3 /Identity-H /DescendantFonts /CIDToGIDMap /Outlines "
    b"/First /Next /Prev /Last /Dest /Title /Encrypt /XObject /Form /Annots /Names /Dests "
    b"/MediaBox /Rotate /UserUnit /ObjStm /XRef /Index /W /Extends /Prev /XRefStm"
).split()
OPERATORS = (
    b"BT ET Tf Tj TJ ' \" Td TD Tm T* Tc Tw Tz TL Tr Ts q Q cm Do BI ID EI gs BMC EMC BDC sh d0 d1 "
    b"BX EX W n f S re m l c"
).split()


def mutate_objects(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Change, swap, drop or take in objects; the offsets are mended in most cases."""
    objects = {int(found[1]): found[3] for found in OBJECT.finditer(data)}
    if not objects:
        return mutate_bytes.flip_bits(data, other, dice)
    foreign = [found[3] for found in OBJECT.finditer(other)]
    trailer = found[1] if (found := TRAILER.search(data)) else b"<< /Root 1 0 R >>"
    for _ in range(dice.choice((1, 1, 2, 4, 8))):
        at, to = dice.choice(list(objects)), dice.choice(list(objects))
        match dice.randrange(10):
            case 0:
                objects.pop(at)
            case 1:
                objects[at], objects[to] = objects[to], objects[at]
            case 2:
                objects[at] = dice.choice((b" null ", b" [] ", b" << >> ", b" (x) ", b" 7 "))
            case 3 if foreign:
                objects[at] = dice.choice(foreign)
            case 4:
                trailer = _change(trailer, objects, dice)
            case 5:
                objects[at] = b" %d 0 R " % dice.choice((at, to))
            case 6 | 7:
                objects[at] = _change_stream(objects[at], dice)
            case _:
                objects[at] = _change(objects[at], objects, dice)
        if not objects:
            break
    if dice.random() < 0.25:  # as a tool that forgets about the offsets leaves it
        return _written(objects, trailer, offset=dice.choice((-1, 1, 100, 10**9)))
    return _written(objects, trailer, offset=0)


def _change(body: bytes, objects: dict[int, bytes], dice: random.Random) -> bytes:
    """Another reference, name or number in an object; or a piece of syntax too much."""
    match dice.randrange(5):
        case 0 if references := list(REFERENCE.finditer(body)):
            found = dice.choice(references)
            target = dice.choice((*objects, 0, 10**6))
            return body[: found.start()] + b"%d 0 R" % target + body[found.end() :]
        case 1 if names := list(NAME.finditer(body)):
            found = dice.choice(names)
            return body[: found.start()] + dice.choice(NAMES) + body[found.end() :]
        case 2:
            return mutate_bytes.change_numbers(body, b"", dice)
        case 3:
            at = body.find(b"<<") + 2
            value = dice.choice((number(dice).encode(), b"%d 0 R" % dice.choice(list(objects))))
            return body[:at] + dice.choice(NAMES) + b" " + value + b" " + body[at:]
        case _:
            at, depth = place(dice, len(body)), dice.choice((1, 10, 500, 5000))
            return (
                body[:at] + dice.choice((b"<<", b">>", b"[", b"]", b"(", b"<")) * depth + body[at:]
            )


def _change_stream(body: bytes, dice: random.Random) -> bytes:
    """Change what a stream holds: unpacked where it is packed, and packed again."""
    found = STREAM.search(body)
    if not found:
        return mutate_bytes.change_numbers(body, b"", dice)
    content, packed = found[1], b"/FlateDecode" in body and b"/ASCII85Decode" not in body
    if packed:
        try:
            content = zlib.decompress(content)
        except zlib.error:
            packed = False
    if dice.random() < 0.5:
        for _ in range(length(dice, 30)):
            at = place(dice, len(content))
            token = dice.choice((dice.choice(OPERATORS), number(dice).encode(), b"(\\", b"<", b"["))
            content = content[:at] + b" " + token + b" " + content[at:]
    else:
        content = dice.choice(mutate_bytes.MUTATIONS)(content, b"BT /F1 9 Tf (x) Tj ET " * 9, dice)
    if packed:
        content = zlib.compress(content)
    head = body[: found.start()]
    if dice.random() < 0.8:
        head = re.sub(rb"/Length \d+(?! \d)", b"/Length %d" % len(content), head)
    return head + b"stream\n" + content + b"\nendstream\n"


def _written(objects: dict[int, bytes], trailer: bytes, *, offset: int) -> bytes:
    """The objects as a file, its table of offsets wrong by `offset`."""
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = {}
    for at, body in objects.items():
        offsets[at] = max(0, len(out) + offset)
        out += b"%d 0 obj%bendobj\n" % (at, body)
    start = max(0, len(out) + offset)
    out += b"xref\n0 1\n0000000000 65535 f \n"
    for at in sorted(offsets):
        out += b"%d 1\n%010d 00000 n \n" % (at, offsets[at])
    out += b"trailer\n%b\nstartxref\n%d\n%%%%EOF\n" % (trailer, start)
    return bytes(out)


PDF: tuple[Mutation, ...] = (mutate_objects,)
