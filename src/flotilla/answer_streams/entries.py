"""What stands in the stream of a run, and under which keys.

The entries of a run are numbered from 1 without a gap, across all workers that worked on it; number
n has the id `n-0` in the Redis stream. An entry has the fields `kind`, `data` (JSON, as readers get
it), `fence` (of the worker that wrote it) and, of a token, `raw` and `at`: what the model wrote for
it, and after how many characters of that. Of a reply's end, `raw` is the whole reply.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from typing import Any, NamedTuple


class Kind(StrEnum):
    """What an entry tells."""

    TRACE = "trace"  # a step that is finished
    TOKEN = "token"  # noqa: S105 - a piece of the answer's text
    CITATION = "citation"  # what a number in the text stands for
    SOURCES = "sources"  # the chunks that the text is written from; readers are not told
    REPLY = "reply"  # the call whose reply has ended; readers are not told


SHOWN = frozenset({Kind.TRACE, Kind.TOKEN, Kind.CITATION})
"""What readers are told."""


class Entry(NamedTuple):
    """One entry; `data` is JSON on one line. `at` is a token's own, `raw` a reply's end has too.

    `kind` is one of Kind, unless another release has written it.
    """

    number: int
    kind: str
    data: str
    fence: int = 0
    raw: str = ""
    at: int = 0


def key(job_id: str) -> str:
    """The key of a run's stream, and the channel on which each of its entries is told."""
    return f"flotilla:answer:{job_id}"


def fence_key(job_id: str) -> str:
    """The key of the highest fence that has written."""
    return f"{key(job_id)}:fence"


def readers_key(job_id: str) -> str:
    """The key that is there while somebody reads the stream, and for a while after that."""
    return f"{key(job_id)}:readers"


def read(entry_id: str, fields: Mapping[str, str]) -> Entry:
    """An entry of the stream."""
    return Entry(
        int(entry_id.partition("-")[0]),
        fields.get("kind", ""),
        fields.get("data", "{}"),
        int(fields.get("fence") or 0),
        fields.get("raw", ""),
        int(fields.get("at") or 0),
    )


def read_all(found: Iterable[tuple[str, Mapping[str, str]]]) -> list[Entry]:
    """The entries of a reply to XRANGE."""
    return [read(entry_id, fields) for entry_id, fields in found]


def read_told(message: str) -> Entry:
    """An entry as it is told on the channel: number, kind and data, a line each. Without `raw`."""
    number, kind, data = message.split("\n", 2)
    return Entry(int(number), kind, data)


def token(text: str, start: int) -> str:
    """The data of a token: `text` stands at `start` of the answer's text, in characters.

    It usually begins where the last one has ended. Where it begins before that, what was told from
    there on is taken back.
    """
    return json.dumps({"text": text, "start": start}, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's reply that has ended: all that the model wrote, and the dumped `ModelCall`."""

    raw: str
    call: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """What a run's entries come to.

    `text` is what readers have, `raw` what the model wrote for it; `citations` and `trace` are the
    dumped `Citation` and `Step` values in their order. `sources` are the ids of the chunks that the
    text is written from, as the model was given them. `reply` is there once the model's reply to
    them has ended.
    """

    text: str = ""
    raw: str = ""
    citations: tuple[dict[str, Any], ...] = ()
    trace: tuple[dict[str, Any], ...] = ()
    sources: tuple[str, ...] = ()
    reply: Reply | None = None


def fold(entries: Iterable[Entry], before: Written | None = None) -> Written:
    """What the entries, which follow one another and what was `before`, come to."""
    so_far = before or Written()
    text, raw, sources, reply = so_far.text, so_far.raw, so_far.sources, so_far.reply
    citations = {each["number"]: each for each in so_far.citations}
    trace = list(so_far.trace)
    for entry in entries:
        data = json.loads(entry.data)
        if entry.kind == Kind.TOKEN:
            text = text[: data["start"]] + data["text"]
            raw = raw[: entry.at] + entry.raw
        elif entry.kind == Kind.CITATION:
            citations[data["number"]] = data
        elif entry.kind == Kind.TRACE:
            trace.append(data)
        elif entry.kind == Kind.SOURCES:
            sources, reply = tuple(data), None
        elif entry.kind == Kind.REPLY:
            reply = Reply(entry.raw, data)
    return Written(text, raw, tuple(citations.values()), tuple(trace), sources, reply)


def common_length(told: str, text: str) -> int:
    """For how many characters two texts are the same."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(told, text, strict=False)))
