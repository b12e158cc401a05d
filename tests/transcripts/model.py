"""What answers in the place of a language model: rules that judge and write by given phrases.

Searches, passages, quotes, offsets and timings of a transcript are the stack's own; what a model
says in it is written here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.doubles.openai_replies import Reply, Request, calls, content_of, structured, text

_PASSAGE = re.compile(r'<passage number="(\d+)"[^>]*>\n(.*?)\n</passage>', re.DOTALL)
_STATEMENT = re.compile(r"^(\d+)\. (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Scripted:
    """How the model treats one question.

    `statements` are what it writes, each with a phrase of the passage that it cites. `searches`
    are what an agent looks for in turn; `wording` is the question in other words.
    """

    question: str
    statements: Sequence[tuple[str, str]]
    wording: str = ""
    searches: Sequence[str] = ()
    unsupported: str = ""


class RuledModel:
    """The responder of a model server for the scripted questions."""

    def __init__(self, questions: Sequence[Scripted]) -> None:
        self._questions = questions

    def __call__(self, request: Request) -> Reply | None:
        said = "\n".join(content_of(message) for message in request.messages[1:])
        question = next(each for each in self._questions if each.question in said)
        fields = request.schema["properties"] if request.schema is not None else {}
        if "small_talk" in fields:
            return structured({"small_talk": False, "reply": ""})
        if "relevant" in fields:
            return structured({"relevant": [n for n, _ in _cited(said, question)]})
        if "query" in fields:
            return structured({"query": question.wording})
        if "verdicts" in fields:
            return structured({"verdicts": _verdicts(said, question)})
        if "tools" in request.body or any(m["role"] == "tool" for m in request.messages):
            return _agent(request, said, question)
        cited = {statement: number for number, statement in _cited(said, question)}
        written = [
            f"{statement} [{cited[statement]}]." if statement in cited else f"{statement}."
            for statement, phrase in question.statements
            if statement in cited or not phrase
        ]
        return text(" ".join(written) or "NOT_IN_PASSAGES: The documents do not say.")


def _cited(said: str, question: Scripted) -> list[tuple[int, str]]:
    """The number of the passage that bears each statement, where one does."""
    passages = [(int(number), body) for number, body in _PASSAGE.findall(said)]
    found = []
    for statement, phrase in question.statements:
        numbers = [n for n, body in passages if phrase and phrase in " ".join(body.split())]
        found += [(numbers[0], statement)] if numbers else []
    return found


def _verdicts(said: str, question: Scripted) -> list[dict[str, object]]:
    _, _, listed = said.rpartition("Statements:")
    return [
        {
            "statement": int(number),
            "supported": not (question.unsupported and question.unsupported in statement),
            "reason": "The passage does not say so.",
        }
        for number, statement in _STATEMENT.findall(listed)
    ]


def _agent(request: Request, said: str, question: Scripted) -> Reply:
    done = sum(1 for message in request.messages if message["role"] == "tool")
    if done < len(question.searches):
        tool, _, query = question.searches[done].partition(": ")
        return calls((tool, {"query": query}))
    numbers = "".join(f"[{number}]" for number, _ in _cited(said, question))
    return text(numbers or "NONE")
