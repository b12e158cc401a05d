"""Mails: who wrote to whom, when and on what, the text, and the names of what is attached."""

import re
from collections.abc import Iterator, Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from email.utils import parsedate_to_datetime
from pathlib import Path

from flotilla.document.converters import SourceInfo
from flotilla.document.converters.html import content_page, read_tree
from flotilla.document.converters.page_text import PageText
from flotilla.document.converters.tables import one_line
from flotilla.document.encoding import find_byte_order_mark, meant_encoding
from flotilla.errors import FileCorrupt, FileEncrypted, NoText
from flotilla.models import Heading, Page, Region

SHOWN_HEADERS = ("From", "To", "Cc", "Date")
ENCRYPTED = frozenset(("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"))
MAX_FORWARDED = 5
"""Levels of mails within mails that are read; deeper ones are named as attachments."""
MOST_PARTS = 1_000
MUCH_LESS = 0.5
"""Of an alternative in plain text with less than this share of the other's words, the rest is
missing: it only says that one should read the other."""


class EmlConverter:
    """One Page with the headers, the body and the mails that it forwards; of what is attached the
    name, type and size."""

    def inspect(self, path: Path, *, password: str | None = None) -> SourceInfo:
        """The title is the subject."""
        return SourceInfo(pages=None, title=_header(_parsed(path), "Subject") or None)

    def pages(
        self,
        path: Path,
        *,
        first: int = 1,
        last: int | None = None,
        password: str | None = None,
    ) -> Iterator[Page]:
        """The mail as one Page.

        Raises:
            FileEncrypted: its text is encrypted.
            FileCorrupt: it has no header that a mail has.
            NoText: neither subject nor text.
        """
        page = _mail_page(_parsed(path), 0)
        if not page.text:
            raise NoText("The mail holds neither a subject nor a text.")
        yield page


def _parsed(path: Path) -> EmailMessage:
    data = path.read_bytes()
    if bom := find_byte_order_mark(data):  # an editor has saved it as a text
        data = data.decode(bom, errors="replace").encode()
    mail = message_from_bytes(data, policy=policy.default)
    if not mail.keys():
        raise FileCorrupt("The mail has no header; save it again as EML and send that.")
    return mail


def _mail_page(mail: MIMEPart, depth: int) -> Page:
    if mail.get_content_type() in ENCRYPTED and _is_encrypted(mail):
        raise FileEncrypted(
            "The mail is encrypted, which cannot be opened here; save it decrypted and send that."
        )
    ahead = PageText()
    subject = _header(mail, "Subject")
    if subject:
        ahead.heading(subject, min(6, 1 + depth))
    lines = [f"{name}: {said}" for name in SHOWN_HEADERS if (said := _header(mail, name))]
    plain, html = _bodies(mail)
    pages = [_body(plain, html)]
    attached: list[str] = []
    for part in _others(mail, [plain, html]):
        forwarded = _forwarded(part)
        if forwarded is not None and depth < MAX_FORWARDED:
            pages.append(_mail_page(forwarded, depth + 1))
        elif _goes_on(part):
            pages.append(_html_page(part) if part.get_content_subtype() == "html" else _page(part))
        else:
            attached.append(_name(part))
    pages = [page for page in pages if page.text]
    if attached:
        lines.append(f"Attachments: {', '.join(attached)}")
    if subject or pages or attached:
        ahead.block("\n".join(lines))
    return _joined([ahead.page(), *pages])


def _joined(pages: list[Page]) -> Page:
    """One Page of several, one below the other."""
    text = ""
    headings: list[Heading] = []
    regions: list[Region] = []
    for page in pages:
        if not page.text:
            continue
        text += "\n\n" if text else ""
        at = len(text)
        headings += (each.model_copy(update={"offset": each.offset + at}) for each in page.headings)
        regions += (
            each.model_copy(update={"start": each.start + at, "end": each.end + at})
            for each in page.regions
        )
        text += page.text
    return Page(number=None, text=text, headings=tuple(headings), regions=tuple(regions))


def _is_encrypted(mail: MIMEPart) -> bool:
    # A part of this type may be signed alone, and then is named as what is attached.
    kind = str(mail.get_param("smime-type", ""))
    return mail.get_content_type() == "multipart/encrypted" or kind not in (
        "signed-data",
        "certs-only",
    )


def _header(mail: MIMEPart, name: str) -> str:
    try:
        said = mail.get(name)
    except Exception:  # noqa: BLE001  the library fails in many ways on headers that are no such
        said = dict(mail.raw_items()).get(name)
    text = one_line(str(said or "").replace("\ufffd", ""))
    if name == "Date" and text:
        try:
            return parsedate_to_datetime(text).strftime("%Y-%m-%d %H:%M %z").strip()
        except (ValueError, TypeError, OverflowError):
            return text
    return text


def _bodies(mail: MIMEPart) -> tuple[MIMEPart | None, MIMEPart | None]:
    """The text as plain text and as HTML; only the first one where they are not the same text."""
    plain, html = _preferred(mail, "plain"), _preferred(mail, "html")
    if plain is None or html is None:
        return plain, html
    for part in mail.walk():
        within = list(map(id, part.walk())) if part.get_content_subtype() == "alternative" else []
        if id(plain) in within and id(html) in within:
            return plain, html
    first = next(part for part in mail.walk() if part is plain or part is html)
    return (plain, None) if first is plain else (None, html)


def _body(plain: MIMEPart | None, html: MIMEPart | None) -> Page:
    shown = Page(number=None, text="") if html is None else _html_page(html)
    if plain is None:
        return shown
    written = _page(plain)
    # Tables are lost in the plain text, and some of that is a mere hint at the other.
    is_hint = len(written.text.split()) < MUCH_LESS * len(shown.text.split())
    return shown if shown.regions or is_hint else written


def _html_page(part: MIMEPart) -> Page:
    text = _content(part)
    try:
        return content_page(read_tree(text.encode("utf-8", "replace")))
    except NoText:
        return Page(number=None, text="")


def _page(part: MIMEPart) -> Page:
    out = PageText()
    for block in re.split(r"\n[ \t]*(?:\n[ \t]*)+", _content(part).replace("\r\n", "\n").strip()):
        out.block(block.rstrip())
    return out.page()


def _preferred(mail: MIMEPart, kind: str) -> MIMEPart | None:
    try:
        return mail.get_body((kind,))
    except Exception:  # noqa: BLE001  parts that are not of the type that they claim
        return None


def _content(part: MIMEPart) -> str:
    """The part's text; where its character set is wrong or unknown, as UTF-8 or Latin-1."""
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return str(part.get_payload())
    for encoding in (meant_encoding(part.get_content_charset() or "utf-8"), "utf-8", "cp1252"):
        try:
            if encoding is not None:
                return data.decode(encoding)
        except (LookupError, UnicodeError, ValueError):
            continue
    return data.decode("latin-1")


def _others(mail: MIMEPart, bodies: Sequence[MIMEPart | None]) -> Iterator[MIMEPart]:
    """The parts that are neither a container nor the body, outside of mails within the mail: what
    is attached, and where the text goes on behind that."""
    waiting: list[tuple[MIMEPart, bool]] = [(mail, False)]
    seen = 0
    while waiting and seen < MOST_PARTS:
        part, is_alternative = waiting.pop()
        seen += 1
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            inside = is_alternative or part.get_content_subtype() == "alternative"
            waiting += reversed(
                [(each, inside) for each in part.iter_parts() if isinstance(each, MIMEPart)]
            )
        elif part is mail or any(part is body for body in bodies):
            continue
        elif _counts(part) or (_goes_on(part) and not is_alternative):
            yield part


def _goes_on(part: MIMEPart) -> bool:
    """Whether it is text that a reader sees as part of the mail's."""
    if part.get_content_type() not in ("text/plain", "text/html") or _file_name(part):
        return False
    return part.get_content_disposition() != "attachment"


def _counts(part: MIMEPart) -> bool:
    """Whether it is an attachment to a reader: no signature, and no picture within the text."""
    if part.get_content_type() in ("application/pgp-signature", "application/pkcs7-signature"):
        return False
    if part.get_content_disposition() == "attachment" or part.get_content_maintype() == "message":
        return True
    return bool(_file_name(part)) and part.get("Content-ID") is None


def _forwarded(part: MIMEPart) -> MIMEPart | None:
    """The mail that a part holds, None where it holds none."""
    if part.get_content_type() != "message/rfc822" or not part.is_multipart():
        return None
    inner = part.get_payload()
    mail = inner[0] if isinstance(inner, list) and inner else None
    return mail if isinstance(mail, MIMEPart) else None


def _name(part: MIMEPart) -> str:
    name = _file_name(part) or "without a name"
    data = None if part.is_multipart() else part.get_payload(decode=True)
    size = f", {max(1, round(len(data) / 1024)):,} KB" if isinstance(data, bytes) else ""
    return f"{name} ({part.get_content_type()}{size})"


def _file_name(part: MIMEPart) -> str:
    try:
        return one_line(part.get_filename() or "")
    except Exception:  # noqa: BLE001  as for other headers
        return ""
