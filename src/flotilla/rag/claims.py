"""The statements of an answer's text, and the citations that each of them bears."""

import re
from dataclasses import dataclass

from flotilla.rag.code_spans import outside_code
from flotilla.rag.text.sentences import Kind, split
from flotilla.rag.text.terms import terms

_NUMBERS = re.compile(r"\[(\d{1,3})\]")
_TRAILING = re.compile(r"(?:\s*\[\d{1,3}\])+[.!?]?")


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement, `answer[start:end]` with its citations' numbers; `text` is without them."""

    text: str
    start: int
    end: int
    numbers: tuple[int, ...]


def claims_of(answer: str) -> list[Claim]:
    """The statements of an answer in their order; what announces a list is none.

    Numbers that stand behind a full stop belong to the sentence before them.
    """
    claims: list[Claim] = []
    cites = {match.start(): int(match[1]) for match in outside_code(_NUMBERS, answer)}
    reached = 0
    for sentence in split(answer):
        if sentence.kind in (Kind.HEADING, Kind.LIST):
            continue
        start, end = max(sentence.start, reached), sentence.end
        trailing = _TRAILING.match(answer, end)
        if trailing is not None:
            end = trailing.end()
        leading = _TRAILING.match(answer, start)
        if leading is not None and leading.end() <= end and claims:
            start = leading.end()
        reached = end
        whole = answer[start:end].strip()
        bare = " ".join(_NUMBERS.sub("", whole).split())
        if not terms(bare) or bare.rstrip("*_ ").endswith(":"):
            continue
        start += len(answer[start:end]) - len(answer[start:end].lstrip())
        within = range(start, start + len(whole))
        numbers = tuple(dict.fromkeys(n for place, n in cites.items() if place in within))
        claims.append(Claim(bare, start, start + len(whole), numbers))
    return claims
