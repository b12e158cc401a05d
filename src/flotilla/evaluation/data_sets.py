"""What is evaluated on: documents, questions, and what is right for each question."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from flotilla.errors import DataSetInvalid

TEXT = "text"
"""The form of a question that every data set has."""

CONVERSATION = "conversation"
"""The form of a question whose earlier turns are known: it is asked behind them."""

PAGE_SIGN = "#"
"""What parts a document's id from its page."""


class Kind(StrEnum):
    """What of a document is right for a question."""

    PASSAGES = "passages"
    """The whole of it, since it is a passage (BEIR)."""
    PAGES = "pages"
    """Pages of it."""
    SPANS = "spans"
    """Characters of it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A document: `name` is what it is ingested as. It is a file, or a text of its own."""

    id: str
    name: str
    path: Path | None = None
    text: str | None = None

    def read(self) -> bytes:
        """Its bytes."""
        if self.path is not None:
            return self.path.read_bytes()
        return (self.text or "").encode(errors="replace")


@dataclass(frozen=True, slots=True)
class Question:
    """A question in each of its forms, with the right answer and whether there is one.

    `turns` are the user's earlier turns of the same conversation, None where nothing is said of
    them.
    """

    id: str
    forms: dict[str, str]
    answer: str | None = None
    answerable: bool | None = None
    turns: tuple[str, ...] | None = None

    def form(self, name: str) -> str:
        """The question in one of its forms. Raises DataSetInvalid where it has no such form."""
        if name not in self.forms:
            raise DataSetInvalid(
                f"The question {self.id} has no field {name!r}: choose one of "
                f"{', '.join(sorted(self.forms))}."
            )
        return self.forms[name]


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start:end` of a source."""

    source: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set as it was read.

    `grades` are the grades above 0 of items by question: ids of sources, or `source#page` with
    pages from 1. `spans` are gold by question. `same` names, by its id, the source that stands for
    one whose text is the same. `remarks` say what was got over.
    """

    name: str
    kind: Kind
    sources: Sequence[Source]
    questions: Sequence[Question]
    grades: dict[str, dict[str, int]] = field(default_factory=dict)
    spans: dict[str, list[Span]] = field(default_factory=dict)
    same: dict[str, str] = field(default_factory=dict)
    remarks: Sequence[str] = ()

    @property
    def judged(self) -> list[Question]:
        """The questions for which something is right."""
        return [each for each in self.questions if each.id in self.grades or each.id in self.spans]


def read_data_set(folder: Path) -> DataSet:
    """The data set of a folder, by what it holds.

    Gold spans where queries.jsonl has `references`; pages where there is a `qrels_pages` table;
    else BEIR's form.

    Raises:
        DataSetInvalid: it is of none of these forms, or a file is wrong; with the line.
    """
    from flotilla.evaluation import beir, page_evidence, spans
    from flotilla.evaluation.reading import find

    if not folder.is_dir():
        raise DataSetInvalid(f"There is no folder {folder}.")
    forms: list[tuple[bool, Callable[[Path], DataSet]]] = [
        (spans.is_of_this_form(folder), spans.read),
        (find(folder, *page_evidence.TABLES) is not None, page_evidence.read),
        (find(folder, *beir.CORPORA) is not None, beir.read),
    ]
    for is_of_the_form, read in forms:
        if is_of_the_form:
            found = read(folder)
            if not found.judged:
                raise DataSetInvalid(
                    f"{folder}: no question has anything that is right for it, so that there is "
                    "nothing to measure: check that the ids of questions and judgements are alike."
                )
            return found
    raise DataSetInvalid(
        f"{folder} is no data set of a known form. It needs queries.jsonl and one of: corpus.jsonl "
        "with qrels.tsv (BEIR); documents with qrels_pages.tsv; a folder corpora, with "
        "`references` in queries.jsonl."
    )
