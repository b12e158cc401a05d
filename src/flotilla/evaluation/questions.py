"""Questions of a data set, with their forms, right answers and labels."""

from pathlib import Path
from typing import Any

from flotilla.errors import DataSetInvalid
from flotilla.evaluation.data_sets import CONVERSATION, TEXT, Question
from flotilla.evaluation.reading import Remarks, find, identifier, records

FILES = ("queries.jsonl", "questions.jsonl", "queries.json", "questions.json")

_TEXTS = ("text", "query", "question")
_ANSWERS = ("answer", "gold_answer", "reference_answer", "ground_truth", "correct_answer")
_UNANSWERABLE = frozenset({"unanswerable", "no", "false", "0", "none", "conversational"})


def read_records(folder: Path) -> tuple[Path, list[tuple[int, str, dict[str, Any]]]]:
    """The records of the file of questions, each with its line and id.

    Raises:
        DataSetInvalid: there is no such file, or a record has no id.
    """
    path = find(folder, *FILES)
    if path is None:
        raise DataSetInvalid(f"{folder} has no queries.jsonl: it holds a question a line.")
    return path, [(line, identifier(path, line, each), each) for line, each in records(path)]


def read_questions(folder: Path, remarks: Remarks) -> list[Question]:
    """The questions in the order of the file; of several with one id the first.

    Raises:
        DataSetInvalid: there is no file of questions, or one has no id or no text.
    """
    path, found = read_records(folder)
    questions: dict[str, Question] = {}
    for line, key, record in found:
        if key in questions:
            remarks.add("questions have an id that another has, and are left out", key)
            continue
        text = next((record[name] for name in _TEXTS if isinstance(record.get(name), str)), None)
        if text is None:
            raise DataSetInvalid(f"{path}, line {line}: the question {key!r} has no `text`.")
        if not text.strip():
            remarks.add("questions are empty, and are left out", key)
            continue
        forms = {
            name: value
            for name, value in record.items()
            if isinstance(value, str) and value.strip() and name != "_id"
        }
        forms[TEXT] = text
        turns = _turns(record)
        if turns is not None:
            forms[CONVERSATION] = text
        questions[key] = Question(key, forms, _answer(record), _answerable(record), turns)
    if not questions:
        raise DataSetInvalid(f"{path} holds no question.")
    return list(questions.values())


def _answer(record: dict[str, Any]) -> str | None:
    for name in _ANSWERS:
        value = record.get(name)
        if isinstance(value, list):
            value = next((each for each in value if isinstance(each, str)), None)
        if isinstance(value, str) and value.strip():
            return value
    return None


def _turns(record: dict[str, Any]) -> tuple[str, ...] | None:
    """The user's earlier turns: of `history`, or `user_turns` without the last, which is the
    question."""
    history = record.get("history")
    if isinstance(history, list):
        said = [each for each in history if isinstance(each, dict)]
        return tuple(
            str(each.get("text", each.get("content", "")))
            for each in said
            if each.get("role", each.get("speaker")) == "user"
        )
    turns = record.get("user_turns")
    if isinstance(turns, list):
        return tuple(map(str, turns[:-1]))
    return None


def _answerable(record: dict[str, Any]) -> bool | None:
    """Whether there is an answer, as `answerability`, `answerable` or `is_impossible` say."""
    if isinstance(record.get("is_impossible"), bool):
        return not record["is_impossible"]
    value = record.get("answerability", record.get("answerable"))
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip():
        return value.strip().lower() not in _UNANSWERABLE
    return None
