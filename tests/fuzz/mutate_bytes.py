"""Mutations that know nothing of a format: bits, cuts, splices, insertions, repeated blocks."""

import random
import re
from collections.abc import Callable

from tests.fuzz.dice import BYTES, HIGH_BYTES, SCRAPS, length, number, pick, place

Mutation = Callable[[bytes, bytes, random.Random], bytes]
"""Takes a file, another file to take parts from, and the dice."""

LARGEST = 250_000  # bytes: what doubles again and again is cut here, since all of it is embedded
WRITTEN_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")


def flip_bits(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Turn one to 64 bits over."""
    changed = bytearray(data)
    for _ in range(length(dice, 64)):
        if changed:
            changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def set_bytes(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Put bytes that mean something to a parser in place of one to 64 others."""
    changed = bytearray(data)
    for _ in range(length(dice, 64)):
        if changed:
            changed[dice.randrange(len(changed))] = dice.choice(BYTES + HIGH_BYTES)
    return bytes(changed)


def truncate(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Keep the beginning, or the end."""
    at = place(dice, len(data))
    return data[:at] if dice.random() < 0.8 else data[at:]


def delete_block(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Leave a stretch out."""
    at = place(dice, len(data))
    return data[:at] + data[at + length(dice, len(data) - at) :]


def blank_block(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Write zeros, spaces or noise over a stretch, as a broken disk does."""
    at = place(dice, len(data))
    size = min(length(dice, 8192), len(data) - at)
    over = dice.choice((b"\0" * size, b" " * size, dice.randbytes(size)))
    return data[:at] + over + data[at + size :]


def splice(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """The head of one file and the tail of another."""
    return data[: place(dice, len(data))] + other[place(dice, len(other)) :]


def graft(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Put a stretch of another file into the middle."""
    at, start = place(dice, len(data)), place(dice, len(other))
    return data[:at] + other[start : start + length(dice, 20_000)] + data[at:]


def insert(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Put noise, or something that is known to trouble readers, in between."""
    at = place(dice, len(data))
    scrap = pick(dice, SCRAPS) if dice.random() < 0.7 else dice.randbytes(length(dice, 512))
    return data[:at] + scrap + data[at:]


def repeat_block(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Say a stretch many times over."""
    at = place(dice, len(data))
    block = data[at : at + length(dice, min(4096, max(1, len(data) - at)))]
    return data[:at] + block * length(dice, 256) + data[at:]


def swap_blocks(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Two neighbouring stretches change places."""
    first, second, third = sorted(place(dice, len(data)) for _ in range(3))
    return data[:first] + data[second:third] + data[first:second] + data[third:]


def change_numbers(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Put other numbers in place of one to eight of those written in the file."""
    found = list(WRITTEN_NUMBER.finditer(data))
    for match in sorted(
        dice.sample(found, min(len(found), length(dice, 8))), key=lambda m: -m.start()
    ):
        data = data[: match.start()] + number(dice).encode() + data[match.end() :]
    return data


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    set_bytes,
    truncate,
    delete_block,
    blank_block,
    splice,
    graft,
    insert,
    repeat_block,
    swap_blocks,
    change_numbers,
)
