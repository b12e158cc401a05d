"""Other wordings of a question, by a real client of a local model server."""

from collections.abc import Sequence

import pytest

from flotilla.models import Answer, Mode, Passage, Query
from flotilla.rag.wordings import WITHOUT_MODEL, Reword
from flotilla.retrieval_steps import Retrieval
from tests.doubles.openai_server import OpenAIServer, error, structured, text
from tests.integration.rag.graph_runs import OPENING, QUERY, WARRANTY, run

TWO = Retrieval(queries=2)


class Searched:
    """Retrieval that asks for the wordings, as it does where no cache has the passages."""

    def __init__(self) -> None:
        self.wordings: Sequence[str] | None = None
        self.asked = 0

    def __call__(self, query: Query, /, reword: Reword | None = None) -> list[Passage]:
        self.asked += 1
        if reword is not None:
            self.wordings = reword(query)
        return [OPENING, WARRANTY]


def answered(server: OpenAIServer | None, searched: Searched, retrieval: Retrieval = TWO) -> Answer:
    return run(server, Mode.SIMPLE, searched, retrieval=retrieval)


def test_a_model_gives_other_wordings(server: OpenAIServer) -> None:
    told = [
        "Duration of the guarantee",
        f"  {QUERY.question.upper()} ",  # the question once more
        "duration of  the guarantee",
        "",
        "x" * 2000,
        "The warranty lasts",
        "One too many",
    ]
    server.script(structured({"wordings": told}), text("Twelve months [2]."))
    searched = Searched()
    answer = answered(server, searched)
    assert searched.wordings == ["Duration of the guarantee", "The warranty lasts"]
    assert answer.answerable
    assert not answer.notes
    retrieve, generate = answer.trace
    assert [call.prompt for call in retrieve.calls] == ["wordings.v1"]
    assert retrieve.saw["retrieval"] == {"queries": 2}
    assert len(generate.calls) == 1
    shown = server.requests[0].body["messages"][-1]["content"]
    assert "Wordings: 2" in shown
    assert QUERY.question in shown


def test_what_a_model_does_not_give_is_said_and_the_question_is_searched_for(
    server: OpenAIServer,
) -> None:
    server.script(error(500), text("Twelve months [2]."))
    searched = Searched()
    answer = answered(server, searched)
    assert searched.wordings is None  # so that what was found is not kept
    assert answer.answerable
    [note] = answer.notes
    assert note.startswith("No other wordings of the question were searched for: ")


def test_without_a_model_it_is_said(server: OpenAIServer) -> None:
    searched = Searched()
    answer = answered(None, searched)
    assert searched.wordings == ()
    assert answer.notes == (WITHOUT_MODEL,)


@pytest.mark.parametrize("retrieval", [Retrieval(), Retrieval(queries=0)])
def test_no_model_is_asked_where_none_are_wanted(
    server: OpenAIServer, retrieval: Retrieval
) -> None:
    server.script(text("Twelve months [2]."))
    searched = Searched()
    answer = answered(server, searched, retrieval)
    assert searched.asked == 1
    assert searched.wordings is None
    assert [len(step.calls) for step in answer.trace] == [0, 1]
