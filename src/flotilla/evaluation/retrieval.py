"""Asks every question under every setting, and keeps what was found and how long it took."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from flotilla.client import Flotilla
from flotilla.evaluation.data_sets import Question
from flotilla.evaluation.variants import Variant
from flotilla.models import Passage

WARM_UPS = 3
"""Questions that are asked first and not counted: connections stand and models are loaded then."""

UNCACHED = "no-store"


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found: of which document, where in its text, and on which pages."""

    document: str
    text: str
    start: int
    end: int
    page_start: int | None = None
    page_end: int | None = None


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What one question found, best first; milliseconds as the client and the server have them.

    `standalone` is what a turn of a conversation was made into, `notes` what was not done as it was
    asked for.
    """

    question: str
    hits: tuple[Hit, ...]
    client_ms: float
    server_ms: float | None = None
    standalone: str | None = None
    notes: tuple[str, ...] = ()


class Search(Protocol):
    """A way of retrieving."""

    def __call__(self, question: Question, form: str) -> Retrieved:
        """What the question, in one of its forms, finds."""
        ...


@dataclass(frozen=True, slots=True)
class Fleet:
    """Searches through the gateway; no cache is looked into, so that the latency is retrieval's."""

    flotilla: Flotilla
    collection: str
    variant: Variant
    top_k: int

    def __call__(self, question: Question, form: str) -> Retrieved:
        """Raises FlotillaAPIError for settings that the gateway refuses."""
        asked = self.variant.form or form
        began = time.perf_counter()
        found = self.flotilla.search(
            question.form(asked),
            collections=[self.collection],
            top_k=self.top_k,
            retrieval=self.variant.settings or None,
            cache_control=UNCACHED,
        )
        took = 1000 * (time.perf_counter() - began)
        spent = found.timings.get("retrieve", sum(found.timings.values()) or None)
        return Retrieved(
            question.id, hits_of(found.passages), took, spent, notes=tuple(found.notes)
        )


def hits_of(passages: Sequence[Passage]) -> tuple[Hit, ...]:
    """The passages of a reply as hits."""
    return tuple(
        Hit(each.document_name, each.text, each.start, each.end, each.page_start, each.page_end)
        for each in passages
    )


def remarks(found: dict[str, list[Retrieved]]) -> list[str]:
    """What the settings did not do as they were asked to, a sentence a setting and reason: its
    figures are then those of another one."""
    return [
        f"{name}: {note} ({count:,} of {len(retrieved):,} questions)"
        for name, retrieved in found.items()
        for note, count in Counter(note for each in retrieved for note in each.notes).items()
    ]


def run(
    searches: dict[str, Search],
    form: str,
    questions: Sequence[Question],
    report: Callable[[int, int], None],
) -> dict[str, list[Retrieved]]:
    """What each search finds for each question.

    Question by question, and at each in another order, so that whatever else the machine does
    falls on all searches alike.
    """
    for search in searches.values():
        for question in questions[:WARM_UPS]:
            search(question, form)
    found: dict[str, list[Retrieved]] = {name: [] for name in searches}
    names = list(searches)
    for number, question in enumerate(questions):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            found[name].append(searches[name](question, form))
        report(number + 1, len(questions))
    return found
