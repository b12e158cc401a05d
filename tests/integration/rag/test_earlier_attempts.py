"""Attempts at a question that fail as a whole: what they asked of models counts in the answer."""

from pathlib import Path

import pytest

from flotilla.errors import ModelUnavailable
from flotilla.models import Mode, ModelCall
from flotilla.rag.answering import Run
from flotilla.rag.checkpoints import Checkpoints
from tests.doubles.heard import Heard
from tests.doubles.openai_server import OpenAIServer, chunked, error, structured, text
from tests.integration.rag.graph_runs import names, run

NO_BREAKER = {"breaker_failures": 0}
QUESTION = structured({"small_talk": False, "reply": ""})
BOTH = structured({"relevant": [2]})
BORNE_OUT = structured({"verdicts": [{"statement": 1, "supported": True, "reason": ""}]})


def test_calls_that_failed_attempts_made_stand_in_the_answer(server: OpenAIServer) -> None:
    how = Run()
    server.fallback = error(503)
    for attempt in (1, 2):
        with pytest.raises(ModelUnavailable):
            run(server, Mode.SIMPLE, llm=NO_BREAKER, how=how)
        assert [call["error"] for call in how.calls] == ["model_unavailable"] * attempt
    server.fallback = text("Twelve months [2].")
    answer = run(server, Mode.SIMPLE, llm=NO_BREAKER, how=how)

    assert names(answer) == ["earlier_attempts", "retrieve", "generate"]
    assert answer.trace[0].saw == {"calls": 2, "failed": 2}
    assert answer.usage.calls == 3 == sum(len(step.calls) for step in answer.trace)
    assert answer.fallback_used is None


def test_what_a_checkpoint_keeps_is_counted_once(server: OpenAIServer, tmp_path: Path) -> None:
    how = Run(thread="task")
    kept = Checkpoints(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    server.script(QUESTION, BOTH, error(503))
    with pytest.raises(ModelUnavailable):
        run(server, Mode.CRAG, llm=NO_BREAKER, checkpoints=kept, how=how)
    # Those of the finished steps stand there.
    assert [call["role"] for call in how.calls] == ["answer"]
    server.script(text("Twelve months [1]."), BORNE_OUT)
    answer = run(server, Mode.CRAG, llm=NO_BREAKER, checkpoints=kept, how=how)

    assert names(answer)[0] == "earlier_attempts"
    assert answer.usage.calls == 5 == sum(len(step.calls) for step in answer.trace)


def test_tokens_of_failed_attempts_are_of_the_same_budget(server: OpenAIServer) -> None:
    call = {"role": "answer", "model": "openai:test", "took": 5.0, "prompt_tokens": 5000}
    server.fallback = text("Twelve months [2].")
    answer = run(server, Mode.SIMPLE, how=Run(calls=[call]), budget_tokens=1000)

    assert answer.model == "extractive"
    assert answer.usage.prompt_tokens == 5000
    assert server.requests == []


def test_a_reply_that_broke_off_is_one_call(server: OpenAIServer) -> None:
    how = Run(listener=Heard())
    server.script(chunked("Twelve", " months", " [2].", cut_after=2))
    server.fallback = error(503)
    with pytest.raises(ModelUnavailable):
        run(server, Mode.SIMPLE, llm=NO_BREAKER, how=how)
    [broken] = how.calls
    assert broken["completion_tokens"] > 0
    again = Run(listener=Heard(how.listener.written), calls=how.calls)
    server.fallback = text(" [2].")
    answer = run(server, Mode.SIMPLE, llm=NO_BREAKER, how=again)

    assert answer.text == "Twelve months [1]."
    assert [len(step.calls) for step in answer.trace] == [1, 0, 1]
    assert answer.usage.calls == 2


def test_a_reply_that_was_told_whole_is_one_call(server: OpenAIServer) -> None:
    first = Heard()
    server.fallback = text("Twelve months [2].")
    whole = run(server, Mode.SIMPLE, how=Run(listener=first))
    told = first.written.reply
    assert told is not None
    again = Run(listener=Heard(first.written), calls=[dict(told.call)])
    answer = run(server, Mode.SIMPLE, how=again)

    assert (answer.text, answer.model) == (whole.text, whole.model)
    assert len(server.requests) == 1
    assert answer.usage == whole.usage
    assert answer.trace[0].calls == (ModelCall.model_validate(told.call),)
