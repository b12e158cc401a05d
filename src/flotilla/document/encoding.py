"""Decode plain text: UTF-8, or what a byte order mark says."""

import codecs

from flotilla.errors import InvalidEncoding

# UTF-32 first: its little-endian mark begins with that of UTF-16.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


# What pages and mails mean by a name (Encoding Standard, 4.2): those who write them write more than
# the character set of that name has, such as curly quotation marks in Latin-1.
MEANT = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
}


def meant_encoding(name: str) -> str | None:
    """The encoding that a page or a mail means by a name; None where it is not known."""
    try:
        found = codecs.lookup(name.strip()).name
    except (LookupError, ValueError):
        return None
    return MEANT.get(found, found)


def find_byte_order_mark(data: bytes) -> str | None:
    """The encoding that the byte order mark at the start announces, or None without one."""
    return next((name for mark, name in BYTE_ORDER_MARKS if data.startswith(mark)), None)


def decode_text(data: bytes, name: str) -> str:
    """The text of `data`, line ends as `\\n`, without a byte order mark and without NULs.

    Raises:
        InvalidEncoding: the bytes are not of the encoding; the sentence names the first one.
    """
    encoding = find_byte_order_mark(data) or "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InvalidEncoding(
            f"The text of {name} is not valid {error.encoding.upper()} at byte {error.start}; "
            "save it as UTF-8 and send it again."
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
