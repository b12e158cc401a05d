"""BEIR's form: passages with titles, questions, and judgements of pairs."""

import hashlib
from pathlib import Path
from typing import Any

from flotilla.errors import DataSetInvalid
from flotilla.evaluation.data_sets import DataSet, Kind, Source
from flotilla.evaluation.questions import read_questions
from flotilla.evaluation.reading import Judgement, Remarks, find, identifier, judgements, records

CORPORA = ("corpus.jsonl", "corpus.json", "passages.jsonl", "documents.jsonl")

TABLES = ("qrels.tsv", "qrels/test.tsv", "qrels.txt", "qrels.csv", "qrels/dev.tsv")

LONGEST_TITLE = 120
"""Characters of a title that go into a name."""


def read(folder: Path) -> DataSet:
    """The data set of a folder with corpus.jsonl, queries.jsonl and qrels.tsv (or qrels/test.tsv).

    Of passages whose text is the same the first stands for all, and is right wherever one of them
    is: only one of them is kept by Flotilla, and nothing tells them apart.

    Raises:
        DataSetInvalid: a file is missing or wrong.
    """
    remarks = Remarks()
    sources, same = _read_corpus(folder, remarks)
    questions = read_questions(folder, remarks)
    table = find(folder, *TABLES)
    if table is None:
        raise DataSetInvalid(
            f"{folder} has no qrels.tsv and no qrels/test.tsv: rows of query-id, corpus-id, score."
        )
    ids = {each.id for each in questions}
    grades: dict[str, dict[str, int]] = {}
    for each in judgements(table):
        item = same.get(each.item, each.item)
        if is_left_out(each, ids, item in sources, remarks):
            continue
        of_question = grades.setdefault(each.question, {})
        of_question[item] = max(each.grade, of_question.get(item, 0))
    return DataSet(
        name=folder.resolve().name,
        kind=Kind.PASSAGES,
        sources=list(sources.values()),
        questions=questions,
        grades=grades,
        same=same,
        remarks=remarks.sentences(),
    )


def is_left_out(each: Judgement, questions: set[str], known: bool, remarks: Remarks) -> bool:
    """Whether a judgement counts for nothing: its question or its item is not there, or what it
    says is that the item is not relevant."""
    if each.question not in questions:
        remarks.add("judgements are of questions that are not there", each.question)
        return True
    if not known:
        remarks.add("judgements are of documents that are not there", each.item)
        return True
    return each.grade <= 0


def _read_corpus(folder: Path, remarks: Remarks) -> tuple[dict[str, Source], dict[str, str]]:
    path = find(folder, *CORPORA)
    if path is None:
        raise DataSetInvalid(f"{folder} has no corpus.jsonl: it holds a passage a line.")
    sources: dict[str, Source] = {}
    same: dict[str, str] = {}
    first: dict[bytes, str] = {}
    for line, record in records(path):
        key = identifier(path, line, record)
        text = passage_text(record)
        if key in sources or key in same:
            remarks.add("passages have an id that another has, and are left out", key)
        elif not text.strip():
            remarks.add("passages have no text, and are left out", key)
        else:
            digest = hashlib.sha256(text.encode(errors="replace")).digest()
            if digest in first:
                remarks.add("passages have the very text of another, which stands for both", key)
                same[key] = first[digest]
                continue
            first[digest] = key
            sources[key] = Source(key, source_name(key, str(record.get("title") or "")), text=text)
    if not sources:
        raise DataSetInvalid(f"{path} holds no passage.")
    return sources, same


def passage_text(record: dict[str, Any]) -> str:
    """A passage's title and text; the title once, where the text begins with it."""
    title = str(record.get("title") or "").strip()
    body = record.get("text", record.get("contents", record.get("content")))
    text = str(body or "").strip()
    behind = text[len(title) : len(title) + 1]
    if not title or (text.startswith(title) and not behind.isalnum()):
        return text
    return f"{title}\n\n{text}"


def source_name(key: str, title: str) -> str:
    """What a passage is ingested as: its title as a file's name, in a folder of its own.

    Names are what tells sources apart, and passages of one document have its title in common. A
    passage without a title is named by nothing that says anything, since names may be embedded.
    """
    digest = hashlib.sha256(key.encode(errors="replace")).hexdigest()[:12]
    kept = "".join(
        each if each.isprintable() and each not in '/\\:*?"<>|#' else " " for each in title
    )
    name = " ".join(kept.split())[:LONGEST_TITLE].strip(". ")
    return f"{digest}/{name}.txt" if name else f"{digest}.txt"
