"""Conversion: how much of what a person reads in a file its pages hold, and how fast.

Takes a folder of files with reference texts, in the form that tests/reference_texts.py describes:

    python -m tests.benchmarks.conversion FOLDER

Each format's converter stands beside its library alone, as one would call it first.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from flotilla.errors import FlotillaError
from tests.benchmarks.report import NONE, Outcome, Row, Table, median, render, spread
from tests.benchmarks.stack import progress
from tests.reference_texts import Reference, converted, mean, references, text_of, word_f1

GOOD = 0.95
"""Word F1 from which a file counts as read."""
LEAST_SHARE = 0.9
"""Share of a format's files that are to be read."""
ROUNDS = 3

Read = Callable[[Reference], tuple[str, int]]
"""A file's text, and of how many pages it is; 1 where its format has none."""


def flotilla(reference: Reference) -> tuple[str, int]:
    """What the fleet does."""
    pages = converted(reference, reference.password)
    return text_of(pages), len(pages)


def pdfium(reference: Reference) -> tuple[str, int]:
    """The text of each page as PDFium gives it."""
    from pypdfium2 import PdfDocument

    document = PdfDocument(reference.path, password=reference.password)
    try:
        texts = []
        for page in document:
            text_page = page.get_textpage()
            texts.append(text_page.get_text_range())
            text_page.close()
            page.close()
        return "\n".join(texts), len(texts)
    finally:
        document.close()


def pypdf(reference: Reference) -> tuple[str, int]:
    """The text of each page as pypdf gives it."""
    from pypdf import PdfReader

    reader = PdfReader(reference.path, password=reference.password)
    texts = [page.extract_text() for page in reader.pages]
    return "\n".join(texts), len(texts)


def trafilatura(reference: Reference) -> tuple[str, int]:
    """The main content of an HTML page, as trafilatura finds it."""
    from trafilatura import extract

    return extract(reference.path.read_bytes(), include_tables=True) or "", 1


def mammoth(reference: Reference) -> tuple[str, int]:
    """The raw text of a DOCX document, as mammoth gives it."""
    from mammoth import extract_raw_text

    with reference.path.open("rb") as file:
        return extract_raw_text(file).value, 1


def as_it_is(reference: Reference) -> tuple[str, int]:
    """The file's own text, markup and all."""
    return reference.path.read_text(encoding="utf-8", errors="replace"), 1


BASELINES: dict[str, dict[str, Read]] = {
    "pdf": {"PDFium": pdfium, "pypdf": pypdf},
    "html": {"trafilatura": trafilatura},
    "docx": {"mammoth": mammoth},
    "md": {"the file itself": as_it_is},
}


class Measured(NamedTuple):
    """One converter's F1 of each file by its id, and its pages a second in each round."""

    scores: dict[str, float]
    pace: list[float]


def measure(files: Sequence[Reference], readers: dict[str, Read], rounds: int) -> list[Measured]:
    """Have each reader convert all files, taking turns, so that all see the same machine.

    A file that a reader fails on scores 0.
    """
    found = [Measured({}, []) for _ in readers]
    for _ in range(rounds):
        for read, measured in zip(readers.values(), found, strict=True):
            texts: dict[str, str] = {}
            pages = 0
            begun = time.perf_counter()
            for file in files:
                try:
                    texts[file.id], count = read(file)
                    pages += count
                except Exception as error:
                    if read is flotilla and not isinstance(error, FlotillaError):
                        raise
                    texts[file.id] = ""
            measured.pace.append(pages / (time.perf_counter() - begun))
            for file in files:
                if file.text is not None:
                    measured.scores[file.id] = word_f1(texts[file.id], file.text)
    return found


def run(folder: Path | None, *, quick: bool = False) -> Outcome:
    """Measure each format; nothing where there is no folder."""
    if folder is None or not (folder / "manifest.jsonl").is_file():
        return Outcome(notes=["skipped: --robustness names no folder with files and their texts"])
    formats: dict[str, list[Reference]] = defaultdict(list)
    for file in references(folder):
        if file.text is not None:
            formats[file.format].append(file)
    rows: list[Row] = []
    lines: list[list[str]] = []
    poor: list[list[str]] = []
    values: dict[str, dict[str, dict[str, object]]] = {}
    for name, files in formats.items():
        progress(f"conversion: {name}")
        readers = {"Flotilla": flotilla} | BASELINES.get(name, {})
        measured = dict(zip(readers, measure(files, readers, 1 if quick else ROUNDS), strict=True))
        values[name] = {by: {"f1": each.scores, "pace": each.pace} for by, each in measured.items()}
        for by, each in measured.items():
            scores = list(each.scores.values())
            good = sum(score >= GOOD for score in scores)
            lines.append(
                [
                    name,
                    by,
                    f"{mean(scores):.3f}",
                    f"{good} of {len(scores)}",
                    spread(each.pace, 0),
                ]
            )
        own = measured["Flotilla"]
        rows.append(_row(name, measured))
        poor += [
            [file_id, f"{score:.2f}", *_others(file_id, measured)]
            for file_id, score in own.scores.items()
            if score < GOOD
        ]
    title = "Conversion: word F1 against reference texts, by format and converter"
    head = ["format", "converter", "mean F1", f"files ≥ {GOOD}", "pages a second"]
    tables = [Table(title, head, lines)]
    if poor:
        head = ["file", "Flotilla", "best of the others"]
        tables.append(Table(f"Conversion: files below {GOOD}", head, poor))
    return Outcome(rows, tables=tables, values=values)


def _row(name: str, measured: dict[str, Measured]) -> Row:
    own = measured["Flotilla"]
    scores = list(own.scores.values())
    share = sum(score >= GOOD for score in scores) / len(scores)
    others = {by: mean(each.scores.values()) for by, each in measured.items() if by != "Flotilla"}
    best = max(others, key=lambda by: others[by], default=None)
    return Row(
        f"conversion of {name}: mean word F1, and files of at least {GOOD}",
        f"{mean(scores):.3f}, {share:.0%}",
        baseline=NONE if best is None else f"{others[best]:.3f} ({best})",
        compared=NONE
        if best is None
        else f"pages a second × {median(own.pace) / median(measured[best].pace):.2f}",
        goal=f"≥ {LEAST_SHARE:.0%} of the files",
        met=share >= LEAST_SHARE,
    )


def _others(file_id: str, measured: dict[str, Measured]) -> list[str]:
    scores = [each.scores[file_id] for by, each in measured.items() if by != "Flotilla"]
    return [f"{max(scores):.2f}" if scores else NONE]


if __name__ == "__main__":
    print(render({}, {"conversion": run(Path(sys.argv[1]) if sys.argv[1:] else None)}))
