"""Files of data sets, as others write them: JSON lines and tables, packed or not."""

import csv
import gzip
import json
import math
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from flotilla.errors import DataSetInvalid

SHOWN = 3
"""Examples of what is odd that a remark names."""

_NAMES = {
    "question": ("query-id", "query_id", "queryid", "query", "qid", "q", "topic", "question"),
    "item": (
        *("corpus-id", "corpus_id", "corpusid", "document-id", "document_id", "doc-id"),
        *("doc_id", "docid", "doc", "document", "did", "pid", "passage-id"),
    ),
    "page": ("page", "page-number", "page_number", "page-no", "page_no"),
    "grade": ("score", "relevance", "rel", "grade", "label", "judgement", "judgment"),
}
"""What the columns of judgements are called, in lower case."""


@dataclass
class Remarks:
    """What is odd in a data set and was got over, each kind once with its number."""

    _seen: dict[str, list[str]] = field(default_factory=dict)

    def add(self, what: str, example: str) -> None:
        """Count one case of what is odd."""
        self._seen.setdefault(what, []).append(example)

    def sentences(self) -> list[str]:
        """A sentence for each kind."""
        return [
            f"{len(examples)} {what}: {', '.join(dict.fromkeys(examples[:SHOWN]))}"
            f"{', …' if len(examples) > SHOWN else ''}."
            for what, examples in self._seen.items()
        ]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A row of a table of judgements; `line` counts from 1. `page` is there where a column of its
    own has it."""

    question: str
    item: str
    grade: int
    line: int
    page: str | None = None


class _Columns(NamedTuple):
    """Where in a row what stands."""

    question: int
    item: int
    grade: int | None = None
    page: int | None = None

    @property
    def last(self) -> int:
        """The last column that is read."""
        return max(each for each in self if each is not None)


def find(folder: Path, *names: str) -> Path | None:
    """The first of these files that is in the folder, as it is or packed with gzip."""
    for name in names:
        for candidate in (folder / name, folder / f"{name}.gz"):
            if candidate.is_file():
                return candidate
    return None


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, numbered from 1.

    Raises:
        DataSetInvalid: the file is no text in UTF-8, or no gzip file as its name says.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    number = 0
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line.strip("\r\n")
    except UnicodeDecodeError:
        raise DataSetInvalid(
            f"{path} is not text in UTF-8 behind line {number}: convert it."
        ) from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise DataSetInvalid(f"{path} is damaged, or no gzip file: pack it again.") from None


def records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file of JSON lines, or of one JSON array, with their lines.

    Raises:
        DataSetInvalid: a line is no JSON object; the message names it.
    """
    numbered = lines(path)
    for place, (number, line) in enumerate(numbered):
        if place == 0 and line.lstrip().startswith("["):
            text = "\n".join([line, *(rest for _, rest in numbered)])
            yield from _array(path, text)
            return
        try:
            value = _loaded(line)
        except ValueError as error:
            raise DataSetInvalid(
                f"{path}, line {number}: not JSON ({error}). A line holds one object."
            ) from None
        if not isinstance(value, dict):
            raise DataSetInvalid(f"{path}, line {number}: a JSON object is wanted: {{…}}.")
        yield number, value


def _array(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        values = _loaded(text)
    except ValueError as error:
        raise DataSetInvalid(f"{path}: not JSON ({error}).") from None
    for number, value in enumerate(values, start=1):
        if not isinstance(value, dict):
            raise DataSetInvalid(f"{path}, entry {number}: a JSON object is wanted: {{…}}.")
        yield number, value


def _loaded(text: str) -> Any:
    """The value of JSON. Halves of surrogate pairs, which no text in UTF-8 can hold, are U+FFFD.

    Raises:
        ValueError: it is no JSON, or its lists stand too deep within one another.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("too deep") from None
    return _whole(value) if "\\u" in text else value


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, dict):
        return {_whole(key): _whole(each) for key, each in value.items()}
    return value


def identifier(path: Path, line: int, record: dict[str, Any]) -> str:
    """A record's id, whichever way it is called.

    Raises:
        DataSetInvalid: it has none.
    """
    for name in ("_id", "id", "doc_id", "docid", "query_id", "qid", "pid"):
        if (value := record.get(name)) not in (None, ""):
            return str(value)
    raise DataSetInvalid(f"{path}, line {line}: there is no `_id`.")


def judgements(path: Path) -> Iterator[Judgement]:
    """The rows of a table of judgements.

    Columns are parted by tabs, commas or spaces. A header may name them in any order; without one
    they are question, item and grade, or TREC's question, iteration, item and grade. Without a
    column of grades each is 1. A grade above 0 is 1 at least, however small a fraction it is.

    Raises:
        DataSetInvalid: a row has too few columns, or its grade is no number.
    """
    columns: _Columns | None = None
    part = str.split
    for number, line in lines(path):
        if columns is None:
            part = _parting(line)
            first = part(line)
            columns = _named(first)
            if columns is not None:
                continue
            columns = _unnamed(path, number, first)
        cells = part(line)
        if len(cells) <= columns.last:
            raise DataSetInvalid(
                f"{path}, line {number}: {len(cells)} columns, where {columns.last + 1} are wanted."
            )
        grade, page = columns.grade, columns.page
        yield Judgement(
            cells[columns.question],
            cells[columns.item],
            1 if grade is None else _grade(path, number, cells[grade]),
            number,
            None if page is None else cells[page],
        )


def _parting(line: str) -> Any:
    if "\t" in line:
        return lambda text: [cell.strip() for cell in text.split("\t")]
    if "," in line:
        return lambda text: [cell.strip() for cell in next(csv.reader([text]))]
    return str.split


def _named(cells: Sequence[str]) -> _Columns | None:
    found: dict[str, int] = {}
    for index, cell in enumerate(cells):
        name = re.sub(r"\s+", "-", cell.strip().strip("#").lower())
        for role, names in _NAMES.items():
            if name in names:
                found.setdefault(role, index)
    if "item" not in found and "page" in found:  # the page's whole name
        found["item"] = found.pop("page")
    if "question" not in found or "item" not in found:
        return None
    return _Columns(found["question"], found["item"], found.get("grade"), found.get("page"))


def _unnamed(path: Path, number: int, cells: Sequence[str]) -> _Columns:
    if len(cells) == 4 and _is_number(cells[3]):
        return _Columns(0, 2, 3)
    if len(cells) == 3 and _is_number(cells[2]):
        return _Columns(0, 1, 2)
    if len(cells) == 2:
        return _Columns(0, 1)
    raise DataSetInvalid(
        f"{path}, line {number}: columns are wanted for question, item and grade, or a header that "
        "names them: query-id, corpus-id, score."
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _grade(path: Path, number: int, text: str) -> int:
    if not _is_number(text) or not math.isfinite(float(text)):
        raise DataSetInvalid(f"{path}, line {number}: the grade {text!r} is no number.")
    grade = float(text)
    return max(1, round(grade)) if grade > 0 else round(grade)
