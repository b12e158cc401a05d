"""What every mutation draws from: places, lengths, and values at which programs stumble."""

import random
from collections.abc import Sequence

NUMBERS = (
    *("0", "-1", "1", "2", "255", "256", "65535", "65536", "2147483647", "2147483648"),
    *("4294967295", "-2147483649", "9223372036854775808", "1e308", "-1e-9", "NaN", "0x7fffffff"),
    *("99999999999999999999999999", "00000000000000000001", "٣", "²", "1_0", "", "1.5"),
)
"""Written numbers at the bounds of types, and what only some readers take for one."""

BYTES = (0x00, 0x01, 0x09, 0x0A, 0x0D, 0x1A, 0x20, 0x22, 0x26, 0x28, 0x2F, 0x3C, 0x3E, 0x5C)
"""Control characters and what opens or ends something in a format; 7F to FF beside them."""
HIGH_BYTES = (0x7F, 0x80, 0xC0, 0xED, 0xF4, 0xFE, 0xFF)

SCRAPS = (
    b"\x00" * 64,
    b"\xff" * 64,
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xff\xfe\x00\x00",
    b"\xed\xa0\x80",  # half of a surrogate pair
    b"\xf4\x90\x80\x80",  # beyond the last code point
    "\u202e\u2066\u200b\u2028\u0085\ufeff\uffff".encode(),
    b"e" + "\u0301".encode() * 500,
    b"A" * 5000,
    b" " * 5000,
    b"\n" * 5000,
    b"\r",
    b"%PDF-1.7\n",
    b"PK\x03\x04",
    b"%s%n%x{0}${7*7}",
    b"../../../../etc/passwd",
)


def place(dice: random.Random, size: int) -> int:
    """An offset in something of this size; the very ends are likelier than the rest."""
    if size <= 0:
        return 0
    return dice.choice((0, size - 1, dice.randrange(size), dice.randrange(size)))


def length(dice: random.Random, most: int) -> int:
    """A length up to `most`; short ones are likelier."""
    return max(1, min(most, int(2 ** dice.uniform(0, max(1, most).bit_length()))))


def number(dice: random.Random) -> str:
    """A written number."""
    return dice.choice(NUMBERS) if dice.random() < 0.8 else str(dice.randint(-(2**33), 2**33))


def pick(dice: random.Random, values: Sequence[bytes]) -> bytes:
    """One of the values, or nothing where there is none."""
    return dice.choice(values) if values else b""
