"""A model that counts: what is missing of its answer, or comes twice, is seen at once.

`50 words, 20 ms` is answered with fifty numbered words, 20 ms between two of them, and every tenth
with a reference. What is asked to be continued goes on exactly where it stops.
"""

import re
from collections import Counter
from dataclasses import replace

from tests.doubles.openai_replies import Reply, Request, content_of
from tests.doubles.openai_responders import rest_of

_ASKED = re.compile(r"(\d+) words, (\d+) ms")
_WORD = re.compile(r"word\d+")


def question(words: int, milliseconds: int) -> str:
    """What to ask for so many words at this pace."""
    return f"{words} words, {milliseconds} ms"


def counted(request: Request) -> Reply | None:
    """The reply to what `question` asks for; None for whatever else is asked."""
    asked = next(filter(None, (_ASKED.search(content_of(m)) for m in request.messages)), None)
    if asked is None or request.schema is not None:
        return None
    words, pause = int(asked[1]), int(asked[2]) / 1000
    reply = rest_of(" ".join(map(_word, range(1, words + 1))), request)
    if request.streams:
        return replace(reply, pause=pause)
    return replace(reply, delay=words * pause)


def _word(number: int) -> str:
    return f"word{number} [{1 + number // 10 % 2}]." if number % 10 == 0 else f"word{number}"


def lost_and_repeated(text: str, words: int) -> tuple[int, int]:
    """How many words an answer lacks, and how many it has too often."""
    found = Counter(_WORD.findall(text))
    expected = Counter(f"word{number}" for number in range(1, words + 1))
    return sum((expected - found).values()), sum((found - expected).values())
