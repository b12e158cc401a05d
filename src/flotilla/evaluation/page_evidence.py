"""Page-level evidence: documents, and which of their pages answer a question."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from flotilla.errors import DataSetInvalid
from flotilla.evaluation.beir import is_left_out
from flotilla.evaluation.data_sets import PAGE_SIGN, DataSet, Kind, Source
from flotilla.evaluation.questions import read_questions
from flotilla.evaluation.reading import Remarks, find, identifier, judgements, records

TABLES = ("qrels_pages.tsv", "qrels_pages.csv", "qrels_pages.txt", "qrels/pages.tsv")

LISTS = ("docs.jsonl", "documents.jsonl", "corpus.jsonl")

NO_DOCUMENTS = frozenset({".jsonl", ".json", ".tsv", ".csv", ".gz", ".py", ".yaml", ".yml"})
"""Suffixes of files that describe a data set, where no list names its documents."""

_DESCRIPTIONS = frozenset({"readme.md", "readme.txt", "license", "licence", "license.txt"})


def read(folder: Path) -> DataSet:
    """The data set of a folder with documents, queries.jsonl and qrels_pages.tsv.

    docs.jsonl names the documents (`_id`, `file`); without it all files are, by their path below
    the folder. A judgement names a document by its id, path, name or name without suffix, and the
    page behind a # or in a column `page`.

    Raises:
        DataSetInvalid: a file is missing or wrong.
    """
    remarks = Remarks()
    sources = list(_listed(folder, remarks)) or list(_found(folder))
    if not sources:
        raise DataSetInvalid(f"{folder} has no documents and no docs.jsonl that names them.")
    known = _by_every_name(sources)
    questions = read_questions(folder, remarks)
    ids = {each.id for each in questions}
    table = find(folder, *TABLES)
    if table is None:
        raise DataSetInvalid(f"{folder} has no qrels_pages.tsv: rows of query-id, document#page.")
    grades: dict[str, dict[str, int]] = {}
    for each in judgements(table):
        has_own_column = each.page is not None and PAGE_SIGN not in each.item
        item = f"{each.item}{PAGE_SIGN}{each.page}" if has_own_column else each.item
        document, sign, page = item.rpartition(PAGE_SIGN)
        number = page.lower().removeprefix("page=").removeprefix("page").strip()
        if not sign or not number.isdecimal() or int(number) < 1:
            raise DataSetInvalid(
                f"{table}, line {each.line}: {item!r} is not of the form document#page, with "
                "pages from 1."
            )
        source = known.get(document.lower())
        if is_left_out(each, ids, source is not None, remarks) or source is None:
            continue
        of_question = grades.setdefault(each.question, {})
        item = f"{source.id}{PAGE_SIGN}{int(number)}"
        of_question[item] = max(each.grade, of_question.get(item, 0))
    return DataSet(
        name=folder.resolve().name,
        kind=Kind.PAGES,
        sources=sources,
        questions=questions,
        grades=grades,
        remarks=remarks.sentences(),
    )


def _listed(folder: Path, remarks: Remarks) -> Iterator[Source]:
    path = find(folder, *LISTS)
    if path is None:
        return
    seen: set[str] = set()
    for line, record in records(path):
        key = identifier(path, line, record)
        if key in seen:
            remarks.add("documents have an id that another has, and are left out", key)
            continue
        seen.add(key)
        given = next((record[name] for name in ("file", "path", "pdf") if record.get(name)), key)
        file = folder / str(given)
        if not file.is_file():
            raise DataSetInvalid(f"{path}, line {line}: there is no file {file}.")
        yield Source(key, _name(folder, file), path=file)


def _found(folder: Path) -> Iterator[Source]:
    for file in sorted(folder.rglob("*")):
        parts = file.relative_to(folder).parts
        is_hidden = any(part.startswith(".") for part in parts)
        describes = file.suffix.lower() in NO_DOCUMENTS or file.name.lower() in _DESCRIPTIONS
        if file.is_file() and not is_hidden and not (describes and len(parts) == 1):
            if parts[0] == "qrels":
                continue
            name = _name(folder, file)
            yield Source(name, name, path=file)


def _name(folder: Path, file: Path) -> str:
    """A file's path below the data set's folder, which tells files of one name apart: as it stands
    there, wherever a link leads to."""
    for of_folder, of_file in ((folder, file), (folder.resolve(), file.resolve())):
        if of_file.is_relative_to(of_folder):
            below = of_file.relative_to(of_folder)
            if ".." not in below.parts:
                return below.as_posix()
    return file.name


def _by_every_name(sources: Iterable[Source]) -> dict[str, Source]:
    """Sources by what a judgement may call them, in lower case; the more exact name goes first."""
    known: dict[str, Source] = {}
    ways = (
        lambda each: each.id,
        lambda each: each.name,
        lambda each: Path(each.name).name,
        lambda each: Path(each.id).stem,
        lambda each: Path(each.name).stem,
    )
    for way in ways:
        for each in sources:
            known.setdefault(way(each).lower(), each)
    return known
