"""Gold spans: texts, and which of their characters answer a question."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flotilla.errors import DataSetInvalid
from flotilla.evaluation.beir import is_left_out
from flotilla.evaluation.data_sets import DataSet, Kind, Source, Span
from flotilla.evaluation.questions import FILES, read_questions, read_records
from flotilla.evaluation.reading import Remarks, find, judgements, records

FOLDERS = ("corpora", "corpus", "documents", "texts")

TABLES = ("qrels.tsv", "qrels/test.tsv", "qrels_spans.tsv")

_PLACE = re.compile(r"(.+)#(\d+)-(\d+)")
"""A judged span in a table: `text#start-end`."""


def is_of_this_form(folder: Path) -> bool:
    """Whether the questions have references, or a table has spans in their place."""
    path = find(folder, *FILES)
    if path is None:
        return False
    return any("references" in record for _, record in records(path)) or _has_spans(folder)


def _has_spans(folder: Path) -> bool:
    """Whether the table's first judgement is of a span."""
    path = find(folder, *TABLES)
    if path is None or not any((folder / name).is_dir() for name in FOLDERS):
        return False
    first = next(judgements(path), None)
    return first is not None and _PLACE.fullmatch(first.item) is not None


def read(folder: Path) -> DataSet:
    """The data set of a folder with texts in `corpora` and queries.jsonl with `references`.

    A question has `corpus_id`, the name of a text without its suffix, and `references` with
    `start_index` and `end_index` in characters of that text, and maybe its `content`. Where no
    question has references, qrels.tsv names the spans: `text#start-end`.

    Raises:
        DataSetInvalid: a file is missing or wrong.
    """
    remarks = Remarks()
    sources = list(_texts(folder))
    if not sources:
        raise DataSetInvalid(f"{folder} has no texts: they are files of the folder `corpora`.")
    texts = {each.id: _text(each) for each in sources}
    questions = read_questions(folder, remarks)
    path, found = read_records(folder)
    if not any("references" in record for _, _, record in found):
        path, found = _of_table(folder, {each.id for each in questions}, remarks)
    spans: dict[str, list[Span]] = {}
    for line, key, record in found:
        if key in spans:
            continue
        gold = [
            span
            for reference in _references(path, line, record)
            if (span := _span(f"{path}, line {line}", record, reference, texts, remarks))
        ]
        if gold:
            spans[key] = gold
    return DataSet(
        name=folder.resolve().name,
        kind=Kind.SPANS,
        sources=sources,
        questions=questions,
        spans=spans,
        remarks=remarks.sentences(),
    )


def _of_table(
    folder: Path, questions: set[str], remarks: Remarks
) -> tuple[Path, list[tuple[int, str, dict[str, Any]]]]:
    """The table's spans as records of questions with references, each with its first line."""
    path = find(folder, *TABLES)
    if path is None:
        raise DataSetInvalid(f"{folder} has neither `references` in queries.jsonl nor qrels.tsv.")
    found: dict[str, tuple[int, str, dict[str, Any]]] = {}
    for each in judgements(path):
        place = _PLACE.fullmatch(each.item)
        if place is None:
            raise DataSetInvalid(
                f"{path}, line {each.line}: {each.item!r} is not of the form text#start-end."
            )
        if is_left_out(each, questions, True, remarks):
            continue
        text, start, end = place.groups()
        _, _, record = found.setdefault(each.question, (each.line, each.question, {}))
        record.setdefault("references", []).append(
            {"corpus_id": text, "start_index": int(start), "end_index": int(end)}
        )
    return path, list(found.values())


def _texts(folder: Path) -> Iterator[Source]:
    """The texts, by their names without suffix where that tells them apart."""
    for name in FOLDERS:
        if (folder / name).is_dir():
            files = [
                file
                for file in sorted((folder / name).iterdir())
                if file.is_file() and not file.name.startswith(".")
            ]
            count = Counter(file.stem for file in files)
            for file in files:
                yield Source(file.stem if count[file.stem] == 1 else file.name, file.name, file)
            return


def _references(path: Path, line: int, record: dict[str, Any]) -> list[Any]:
    """The references, which tables that became JSON have as a text of JSON."""
    found = record.get("references") or []
    if isinstance(found, str):
        try:
            found = json.loads(found)
        except ValueError as error:
            raise DataSetInvalid(
                f"{path}, line {line}: `references` is no JSON ({error})."
            ) from None
    if not isinstance(found, list):
        raise DataSetInvalid(f"{path}, line {line}: `references` is to be a list.")
    return found


def _text(source: Source) -> str:
    try:
        return source.read().decode()
    except UnicodeDecodeError:
        raise DataSetInvalid(
            f"{source.path} is not text in UTF-8, in which characters are counted: convert it."
        ) from None


def _whole(number: Any) -> Any:
    """A number of characters, which tables that became JSON have as a float."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _span(
    where: str, record: dict[str, Any], reference: Any, texts: dict[str, str], remarks: Remarks
) -> Span | None:
    if not isinstance(reference, dict):
        raise DataSetInvalid(f"{where}: a reference is an object with start_index and end_index.")
    given = reference.get("corpus_id", reference.get("document", record.get("corpus_id", "")))
    corpus = str(given)
    corpus = corpus if corpus in texts else Path(corpus).stem
    if corpus not in texts:
        if given or len(texts) > 1:
            remarks.add("references are to texts that are not there", str(given))
            return None
        [corpus] = texts
    text = texts[corpus]
    start = _whole(reference.get("start_index", reference.get("start")))
    end = _whole(reference.get("end_index", reference.get("end")))
    content = reference.get("content", reference.get("text"))
    is_right = isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(text)
    if isinstance(content, str) and content and (not is_right or text[start:end] != content):
        found = text.find(content)
        if found < 0:
            remarks.add("references stand nowhere in their text, and are left out", content[:40])
            return None
        remarks.add("references stand elsewhere than their offsets say", content[:40])
        return Span(corpus, found, found + len(content))
    if not is_right or start is None or end is None:
        raise DataSetInvalid(
            f"{where}: start_index {start} and end_index {end} are no characters of {corpus!r}, "
            f"which has {len(text):,}."
        )
    return Span(corpus, int(start), int(end))
