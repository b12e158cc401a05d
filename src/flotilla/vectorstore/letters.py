"""Text as the search by words compares it: letters without accents, scripts without blanks in
pairs of signs.

One letter may be written in several ways (an accent by itself, a ligature, full width), and people
leave accents out when they ask. Chinese, Japanese, Thai and their kin do not part words by blanks;
there every two neighbouring signs are a word, as search engines have long had it, and so they are
in Korean, whose words have their particles attached.
"""

import re
import unicodedata
from itertools import pairwise

_DAKUTEN = "\u3099\u309a"
"""Marks without which a Japanese sign is another one."""

_DROPPED = frozenset({"Mn", "Mc", "Me", "Cf"})
"""Marks on letters, and signs that nobody sees, such as hyphens for the end of a line."""

_OTHERS = str.maketrans(
    dict.fromkeys("\u2120\u2122", " ")
    | {"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O"}
    | {"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i"}
)
"""Signs of trade marks, which would become letters of the word in front of them, and letters that
Unicode does not take apart."""

_UNPARTED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3005-\u3007\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"  # Kana, Han, Hangul
    "\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_SPLIT = re.compile(r"[^\W_]+")


def plain_letters(text: str) -> str:
    """The text for counting words, and never for showing; the same where it is ASCII."""
    if text.isascii():
        return text
    parted = unicodedata.normalize("NFKD", text.translate(_OTHERS))
    kept = "".join(
        each
        for each in parted
        if each.isascii() or each in _DAKUTEN or unicodedata.category(each) not in _DROPPED
    )
    return _UNPARTED.sub(_pairs, unicodedata.normalize("NFC", kept))


def _pairs(run: re.Match[str]) -> str:
    """Every two neighbouring signs of a run; one that stands alone by itself."""
    found = [
        pair
        for part in _SPLIT.findall(run[0])
        for pair in ([part] if len(part) == 1 else map("".join, pairwise(part)))
    ]
    return f" {' '.join(found)} "
