"""Question by question: what each setting found, beside what is right, for whoever asks why."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from flotilla.evaluation.data_sets import DataSet, Question
from flotilla.evaluation.measures import Values
from flotilla.evaluation.retrieval import Retrieved

FIRST = 10
"""Hits that are listed of each question."""

EXCERPT = 200
"""Characters of a hit's text."""


def write(
    path: Path,
    data_set: DataSet,
    questions: Sequence[Question],
    found: dict[str, list[Retrieved]],
    values: dict[str, dict[str, Values]],
    forms: dict[str, str],
) -> None:
    """A JSON line a question and setting.

    Args:
        path: of the file.
        data_set: what is right.
        questions: those that were asked.
        found: by the setting's name, one a question.
        values: by the setting's name and the measure's, one a question.
        forms: by the setting's name, the form in which the questions were asked.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("w", encoding="utf-8") as file:
        for record in _records(data_set, questions, found, values, forms):
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def _records(
    data_set: DataSet,
    questions: Sequence[Question],
    found: dict[str, list[Retrieved]],
    values: dict[str, dict[str, Values]],
    forms: dict[str, str],
) -> Iterator[dict[str, Any]]:
    for place, question in enumerate(questions):
        spans = [
            (each.source, each.start, each.end) for each in data_set.spans.get(question.id, [])
        ]
        for name, retrieved in found.items():
            each = retrieved[place]
            yield {
                "question": question.id,
                "text": question.form(forms[name]),
                "standalone": each.standalone,
                "setting": name,
                "right": data_set.grades.get(question.id) or spans,
                "measures": {key: round(float(row[place]), 4) for key, row in values[name].items()},
                "client_ms": round(each.client_ms, 2),
                "server_ms": each.server_ms,
                "found": [
                    {
                        "document": hit.document,
                        "pages": [hit.page_start, hit.page_end],
                        "start": hit.start,
                        "end": hit.end,
                        "text": " ".join(hit.text.split())[:EXCERPT],
                    }
                    for hit in each.hits[:FIRST]
                ],
            }
