"""Mutations of a Word document and of other zipped formats: the XML inside, the relations of its
parts, and the archive around them."""

import io
import random
import re
import warnings
import zipfile
from contextlib import suppress

from tests.fuzz import mutate_bytes
from tests.fuzz.dice import length, number, place
from tests.fuzz.mutate_bytes import Mutation
from tests.fuzz.mutate_word import change_tree

ELEMENT = re.compile(rb"<([A-Za-z][\w.:-]*)[^<>]*>")
VALUE = re.compile(rb'="([^"<>]*)"')
WORD = b"w:p w:r w:t w:tbl w:tr w:tc w:hyperlink w:sdt w:sdtContent w:ins w:del w:fldSimple".split()
SCRAPS = (
    b"<w:tbl/>",
    b"<w:tr/>",
    b"<w:tc/>",
    b'<w:gridSpan w:val="{n}"/>',
    b'<w:vMerge w:val="{n}"/>',
    b'<w:numPr><w:ilvl w:val="{n}"/><w:numId w:val="{n}"/></w:numPr>',
    b'<w:pStyle w:val="{n}"/>',
    b'<w:outlineLvl w:val="{n}"/>',
    b'<w:sym w:font="Wingdings" w:char="{n}"/>',
    b'<w:fldChar w:fldCharType="begin"/>',
    b'<w:fldChar w:fldCharType="end"/>',
    b'<w:instrText>HYPERLINK "{n}</w:instrText>',
    b'<w:footnoteReference w:id="{n}"/>',
    b'<w:commentReference w:id="{n}"/>',
    b'<w:hyperlink r:id="{n}" w:anchor="{n}"><w:r><w:t>x</w:t></w:r></w:hyperlink>',
    b'<w:drawing><wp:inline><a:blip r:embed="{n}"/></wp:inline></w:drawing>',
    b'<w:br w:type="{n}"/>',
    b"<mc:AlternateContent><mc:Fallback/></mc:AlternateContent>",
    b"<m:oMath><m:f/></m:oMath>",
    b"<w:smartTag><w:p/></w:smartTag>",
    b"<w:txbxContent><w:p><w:r><w:t>box</w:t></w:r></w:p></w:txbxContent>",
    b"&a;",
    b"&#0;",
    b"&#{n};",
    b"<![CDATA[x]]>",
    b"<?x y?>",
    b"<!-- c -->",
)
DOCTYPES = (
    b'<!DOCTYPE x [<!ENTITY a "A"><!ENTITY b "&a;&a;&a;"><!ENTITY c "&b;&b;&b;">]>',
    b'<!DOCTYPE x SYSTEM "file:///etc/passwd">',
    b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
    b"<!DOCTYPE x [<!ENTITY a '&a;'>]>",
)
# Bytes. Unpacked, the styles alone are several times what a text may have; they are not embedded.
LARGEST = 1_500_000
# Word's own is the likeliest; the last takes long.
METHODS = (*(zipfile.ZIP_DEFLATED,) * 5, *(zipfile.ZIP_STORED,) * 2, zipfile.ZIP_LZMA)
ENCODINGS = (b"utf-16", b"utf-7", b"latin-1", b"nosuch", b"UTF-32", b"idna", b"")
# The parts that a reader of Word documents follows from one to the next.
TEXT = "word/document.xml"
MAIN = (
    TEXT,
    "word/styles.xml",
    "word/numbering.xml",
    "word/_rels/document.xml.rels",
    "_rels/.rels",
    "[Content_Types].xml",
    "docProps/core.xml",
)


def change_parts(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Change the tree of one to three parts, which stay well-formed, and pack them again."""
    members = _members(data)
    if not members:
        return mutate_bytes.flip_bits(data, other, dice)
    for _ in range(dice.choice((1, 1, 2, 3))):
        name = _drawn_part(members, dice)
        members[name] = change_tree(members[name], dice)
    return _packed(list(members.items()), dice)


def damage_parts(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Change the XML of a part as text, seldom well-formed afterwards, and pack it again."""
    members = _members(data)
    if not members:
        return mutate_bytes.flip_bits(data, other, dice)
    name = _drawn_part(members, dice)
    for _ in range(dice.choice((1, 1, 2, 4))):
        before = members[name]
        members[name] = dice.choice(XML)(before, dice)[: max(mutate_bytes.LARGEST, len(before))]
    return _packed(list(members.items()), dice)


def _drawn_part(members: dict[str, bytes], dice: random.Random) -> str:
    """The text's own part as often as not, else one that it needs, seldom any."""
    main = [name for name in MAIN if name in members]
    if not main or dice.random() < 0.1:
        return dice.choice(list(members))
    return TEXT if TEXT in members and dice.random() < 0.5 else dice.choice(main)


def rearrange_parts(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Leave parts out, swap them, name them anew or twice, take one from another document."""
    members = list(_members(data).items())
    if not members:
        return mutate_bytes.flip_bits(data, other, dice)
    for _ in range(dice.choice((1, 1, 2, 3))):
        at, to = dice.randrange(len(members)), dice.randrange(len(members))
        name, content = members[at]
        match dice.randrange(6):
            case 0:
                del members[at]
            case 1:
                members[at], members[to] = (name, members[to][1]), (members[to][0], content)
            case 2:
                new = ("/", "\\", "../" + name, name.upper(), "a\0b", "ü" * 300, "word/", name)
                members.append((dice.choice(new), content))
            case 3:
                members[at] = (name, b"")
            case 4:
                foreign = _members(other)
                members[at] = (name, foreign.get(name, other[:5000]))
            case 5:
                members.append((name, content))
        if not members:
            break
    return _packed(members, dice)


def damage_archive(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Change the headers of the archive: sizes, offsets, methods, flags, checksums."""
    changed = bytearray(data)
    headers = [found.start() for found in re.finditer(rb"PK(?:\x01\x02|\x03\x04|\x05\x06)", data)]
    for _ in range(length(dice, 8)):
        if headers:
            at = dice.choice(headers) + dice.randrange(4, 46)
            if at < len(changed):
                changed[at] = dice.choice((0, 1, 0xFF, 0x80, changed[at] ^ 1, dice.randrange(256)))
    return bytes(changed)


def _members(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # noqa: BLE001 - an earlier mutation has damaged it
        return {}


def _packed(members: list[tuple[str, bytes]], dice: random.Random) -> bytes:
    out = io.BytesIO()
    method = dice.choice(METHODS)
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members:
            entry = zipfile.ZipInfo(name)
            entry.compress_type = method
            # A name twice is what is wanted at times; one that cannot be written is left out.
            with warnings.catch_warnings(action="ignore"), suppress(ValueError):
                archive.writestr(entry, content, compresslevel=1)
    return out.getvalue()


def _double(xml: bytes, dice: random.Random) -> bytes:
    """Say an element's opening, or all up to some later end, again and again."""
    return mutate_bytes.repeat_block(xml, b"", dice)


def _drop_tag(xml: bytes, dice: random.Random) -> bytes:
    found = list(ELEMENT.finditer(xml))
    for match in sorted(
        dice.sample(found, min(len(found), length(dice, 6))), key=lambda m: -m.start()
    ):
        xml = xml[: match.start()] + xml[match.end() :]
    return xml


def _drop_element(xml: bytes, dice: random.Random) -> bytes:
    """Leave elements out with all that they hold, so that the rest stays well-formed."""
    for _ in range(length(dice, 8)):
        if span := _element(xml, dice):
            xml = xml[: span[0]] + xml[span[1] :]
    return xml


def _move_element(xml: bytes, dice: random.Random) -> bytes:
    """Copy elements to where others begin; well-formed, but not what a schema says."""
    for _ in range(length(dice, 8)):
        span, target = _element(xml, dice), _element(xml, dice)
        if span and target:
            xml = xml[: target[0]] + xml[slice(*span)] + xml[target[0] :]
    return xml


def _element(xml: bytes, dice: random.Random) -> tuple[int, int] | None:
    """Where an element begins and ends."""
    found = list(ELEMENT.finditer(xml))
    if not found:
        return None
    match = dice.choice(found)
    if match[0].endswith(b"/>"):
        return match.span()
    depth = 0
    for tag in re.finditer(rb"<(/?)" + re.escape(match[1]) + rb"(?=[\s/>])[^<>]*?(/?)>", xml):
        if tag.start() < match.start() or tag[2]:
            continue
        depth += -1 if tag[1] else 1
        if depth == 0:
            return match.start(), tag.end()
    return None


def _wrap(xml: bytes, dice: random.Random) -> bytes:
    """Put an element into itself, up to thousands of times."""
    span = _element(xml, dice)
    if span is None:
        return xml
    tag = dice.choice((*WORD, *WORD, ELEMENT.match(xml[span[0] :])[1]))  # type: ignore[index]
    depth = dice.choice((1, 5, 50, 200, 255, 1000, 5000))
    inner = xml[slice(*span)]
    wrapped = b"<%b>" % tag * depth + inner + b"</%b>" % tag * depth
    return xml[: span[0]] + wrapped + xml[span[1] :]


def _values(xml: bytes, dice: random.Random) -> bytes:
    found = list(VALUE.finditer(xml))
    for match in sorted(
        dice.sample(found, min(len(found), length(dice, 12))), key=lambda m: -m.start()
    ):
        new = dice.choice((number(dice).encode(), b"", b"x" * 300, dice.choice(found)[1]))
        xml = xml[: match.start(1)] + new + xml[match.end(1) :]
    return xml


def _names(xml: bytes, dice: random.Random) -> bytes:
    """Rename an element or an attribute everywhere."""
    names = sorted({found[1] for found in ELEMENT.finditer(xml)})
    if len(names) < 2:
        return xml
    return xml.replace(dice.choice(names), dice.choice((*names, b"x:y", b"w:")))


def _scraps(xml: bytes, dice: random.Random) -> bytes:
    for _ in range(length(dice, 8)):
        span = _element(xml, dice)
        at = span[dice.randrange(2)] if span else place(dice, len(xml))
        scrap = dice.choice(SCRAPS).replace(b"{n}", number(dice).encode())
        xml = xml[:at] + scrap * dice.choice((1, 1, 20)) + xml[at:]
    return xml


def _prologue(xml: bytes, dice: random.Random) -> bytes:
    """Another encoding, or a document type with entities."""
    body = re.sub(rb"^\s*<\?xml[^>]*\?>", b"", xml)
    encoding = dice.choice(ENCODINGS)
    doctype = dice.choice((b"", *DOCTYPES))
    if doctype:
        body = re.sub(rb"(<w:t[^>]*>)", rb"\1&a;", body, count=3)
    head = b'<?xml version="1.0" encoding="%b"?>' % encoding if dice.random() < 0.5 else b""
    return head + doctype + body


def _noise(xml: bytes, dice: random.Random) -> bytes:
    return dice.choice(mutate_bytes.MUTATIONS)(xml, b"<w:p/>" * 9, dice)


XML = (
    *(_double, _drop_tag, _drop_element, _drop_element, _move_element, _move_element, _wrap, _wrap),
    *(_values, _values, _values, _names, _scraps, _scraps, _scraps, _prologue, _noise),
)
DOCX: tuple[Mutation, ...] = (
    *(change_parts,) * 9,
    *(rearrange_parts,) * 2,
    damage_parts,
    damage_archive,
)
