"""The graphs with real clients against a local server that speaks OpenAI's protocol."""

from types import SimpleNamespace
from typing import Any

import pytest

from flotilla.errors import BudgetSpent, FlotillaError, ModelUnavailable
from flotilla.models import Mode, ModelCall, Passage, Query, Turn
from flotilla.rag.answering import Run
from flotilla.rag.generate import CUT_OFF, Draft
from flotilla.rag.graphs.stand_ins import stand_in
from flotilla.rag.llm import Meter
from flotilla.rag.refusals import NOT_FOUND
from tests.doubles.openai_server import OpenAIServer, Reply, error, malformed, structured, text
from tests.integration.rag.graph_runs import HOURS, OPENING, QUERY, WARRANTY, names, run


def test_a_trace_says_what_each_step_saw_took_and_cost(server: OpenAIServer) -> None:
    server.script(text("Twelve months [2]."))
    prices = {"openai:test": {"input": 1_000_000.0, "output": 1_000_000.0}}
    answer = run(server, Mode.SIMPLE, llm={"prices": prices})
    assert names(answer) == ["retrieve", "generate"]
    retrieve, generate = answer.trace
    assert retrieve.saw["found"] == 2
    assert not retrieve.calls
    (call,) = generate.calls
    assert (call.role, call.model, call.prompt) == ("answer", "openai:test", "answer.v2")
    assert generate.started >= retrieve.started + retrieve.took
    assert call.took <= generate.took
    # At one a token the cost is the number of tokens.
    assert answer.usage.cost == call.prompt_tokens + call.completion_tokens > 0
    assert answer.usage.calls == 1


def test_crag_sets_aside_what_does_not_help_and_says_what_is_not_borne_out(
    server: OpenAIServer,
) -> None:
    server.script(
        structured({"small_talk": False, "reply": ""}),
        structured({"relevant": [2]}),
        text("It is twelve months for used cars [1]. New cars have ten years [1]. Good luck."),
        structured(
            {
                "verdicts": [
                    {"statement": 1, "supported": True, "reason": ""},
                    {"statement": 2, "supported": False, "reason": "The passage says five."},
                ]
            }
        ),
    )
    answer = run(server, Mode.CRAG)
    assert names(answer) == ["classify", "retrieve", "grade", "generate", "verify"]
    assert answer.passages == (WARRANTY,)
    flagged = {answer.text[each.start : each.end]: each.reason for each in answer.unsupported}
    assert flagged == {
        "New cars have ten years [2].": "The passage says five.",
        "Good luck.": "No passage is cited for it.",
    }
    assert [len(step.calls) for step in answer.trace] == [1, 0, 1, 1, 1]
    assert answer.usage.calls == 4
    # The writer saw what the grader left, and nothing else.
    assert HOURS not in server.requests[2].messages[1]["content"]


def test_a_figure_that_no_cited_passage_has_is_flagged_without_a_judge(
    server: OpenAIServer,
) -> None:
    written = "Used cars have twelve months [2]. New cars have ten years [2]. Good luck."
    server.script(text(written))
    answer = run(server, Mode.SIMPLE)
    flagged = {answer.text[each.start : each.end]: each.reason for each in answer.unsupported}
    assert flagged == {
        "New cars have ten years [2].": "The passages cited for it do not have “10”.",
        "Good luck.": "No passage is cited for it.",
    }
    assert answer.trace[-1].saw["unsupported"] == 2
    # In crag it stands beside a judge's word, whatever that is.
    question = structured({"small_talk": False})
    server.script(question, structured({"relevant": [1, 2]}), text(written), error(500))
    judged = run(server, Mode.CRAG, llm={"breaker_failures": 0})
    assert judged.unsupported == answer.unsupported
    borne_out = [{"statement": n, "supported": True, "reason": ""} for n in (1, 2)]
    server.script(question, structured({"relevant": [1, 2]}), text(written))
    server.script(structured({"verdicts": borne_out}))
    assert set(run(server, Mode.CRAG).unsupported) == set(answer.unsupported)


def test_crag_searches_in_other_words_where_nothing_helps(server: OpenAIServer) -> None:
    server.script(
        structured({"small_talk": False, "reply": ""}),
        structured({"relevant": []}),
        structured({"query": "guarantee period\ud83d of cars"}),
        structured({"relevant": [1]}),
        text("Twelve months [1]."),
        structured({"verdicts": [{"statement": 1, "supported": True, "reason": ""}]}),
    )
    asked: list[str] = []

    def retrieve(query: Query) -> list[Passage]:
        asked.append(query.question)
        return [OPENING, WARRANTY] if "guarantee" in query.question else [OPENING]

    answer = run(server, Mode.CRAG, retrieve)
    assert asked == [QUERY.question, "guarantee period of cars"]
    assert names(answer)[1:5] == ["retrieve", "grade", "rewrite", "retrieve"]
    assert answer.citations[0].document_name == "2.pdf"
    assert answer.question == QUERY.question


def test_crag_gives_up_after_its_rewritings_and_shows_what_was_nearby(
    server: OpenAIServer,
) -> None:
    server.script(
        structured({"small_talk": False, "reply": ""}),
        structured({"relevant": []}),
        structured({"query": "other words"}),
    )
    answer = run(server, Mode.CRAG)
    assert not answer.answerable
    assert answer.passages == (OPENING, WARRANTY)
    # What was set aside once is not judged again.
    assert len(server.requests) == 3


@pytest.mark.parametrize("message", ["Hello!", "Guten Morgen", "Thanks a lot.", "Wie geht's?"])
def test_small_talk_costs_neither_a_search_nor_a_call(server: OpenAIServer, message: str) -> None:
    def retrieve(query: Query) -> list[Passage]:
        raise AssertionError("it was searched for")

    for used in (server, None):
        answer = run(used, Mode.CRAG, retrieve, message)
        assert names(answer) == ["classify"]
        assert answer.citations == answer.passages == ()
        assert "small talk" in answer.notes[0]
    assert not server.requests


@pytest.mark.parametrize("mode", [Mode.CRAG, Mode.REACT])
def test_a_model_that_calls_all_small_talk_answers_nothing_from_its_head(
    server: OpenAIServer, mode: Mode
) -> None:
    verdict = structured({"small_talk": True, "reply": "It is ninety-nine years."})
    server.script(verdict, structured({"relevant": [2]}) if mode is Mode.CRAG else text("NONE"))
    server.fallback = text("Twelve months [2].")
    answer = run(server, mode)
    assert "retrieve" in names(answer) or "research" in names(answer)
    assert "ninety-nine" not in answer.model_dump_json()
    assert answer.trace[0].saw == {"kind": "question", "by": "rule", "model_said": "small_talk"}


def test_small_talk_that_a_model_tells_is_replied_to_in_our_words(server: OpenAIServer) -> None:
    server.script(structured({"small_talk": True, "reply": "Hello! The warranty is 99 years."}))
    answer = run(server, Mode.CRAG, question="Good morning, dear team!")
    assert names(answer) == ["classify"]
    assert (answer.text, answer.model) == ("Hello! Ask me something about your documents.", "rule")
    assert len(server.requests) == 1


def test_a_question_with_a_greeting_is_a_question() -> None:
    answer = run(None, Mode.CRAG, question="Hello, how long is the warranty?")
    assert "retrieve" in names(answer)


def test_without_a_model_crag_says_what_it_cannot_do() -> None:
    answer = run(None, Mode.CRAG)
    assert answer.text == "We open at nine o'clock. [1]"
    assert answer.unsupported == ()
    assert "No language model is configured" in answer.notes[0]
    assert answer.usage.calls == 0


def test_a_judge_that_fails_costs_no_answer(server: OpenAIServer) -> None:
    refused = error(500)
    server.script(refused, refused, text("Twelve months [2]."), refused)
    answer = run(server, Mode.CRAG, llm={"breaker_failures": 0})
    assert answer.answerable
    assert answer.citations[0].document_name == "2.pdf"
    assert len([note for note in answer.notes if "left out" in note]) == 3
    assert answer.trace[0].saw == {"kind": "question", "by": "nobody"}


def test_a_spent_budget_gives_the_best_answer_without_a_model_and_says_so(
    server: OpenAIServer,
) -> None:
    server.script(structured({"small_talk": False, "reply": ""}))
    answer = run(server, Mode.CRAG, budget_tokens=1)
    assert len(server.requests) == 1
    assert answer.answerable
    assert answer.fallback_used == answer.model == "extractive"
    assert any("budget" in note for note in answer.notes)
    used = answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert f"took {used:,} tokens" in answer.notes[-1]


def test_the_chain_ends_with_sentences_of_the_documents_where_it_says_so(
    server: OpenAIServer,
) -> None:
    server.fallback = error(503)
    answer = run(server, Mode.SIMPLE, llm={"fallbacks": ("extractive",), "breaker_failures": 0})
    assert answer.answerable
    assert answer.fallback_used == "extractive"
    (failed,) = answer.trace[-1].calls
    assert (failed.model, failed.error) == ("openai:test", "model_unavailable")
    assert answer.usage.calls == 1
    with pytest.raises(ModelUnavailable):
        run(server, Mode.SIMPLE, llm={"breaker_failures": 0})


def test_a_stand_in_that_finds_no_answer_does_not_claim_one() -> None:
    spare = SimpleNamespace(
        generate=lambda *_, **__: Draft(text="No.", answerable=False, model="extractive")
    )
    tools: Any = SimpleNamespace(spare=spare)
    state: Any = {"query": QUERY, "passages": [OPENING]}
    (note,) = stand_in(state, tools, BudgetSpent("Spent.", which="tokens"))["notes"]
    assert "that answer best" not in note
    assert "no sentence of the documents answers" in note


@pytest.mark.parametrize(
    "reply", [error(401), error(429, "no quota left", "insufficient_quota"), text(""), malformed()]
)
def test_what_every_model_refuses_is_stood_in_for_too(server: OpenAIServer, reply: Reply) -> None:
    server.fallback = reply
    for mode in (Mode.SIMPLE, Mode.CRAG, Mode.REACT):
        chain = {"fallbacks": ("extractive",), "breaker_failures": 0}
        answer = run(server, mode, llm=chain)
        assert (answer.answerable, answer.fallback_used) == (True, "extractive")
    with pytest.raises(FlotillaError):
        run(server, Mode.SIMPLE, llm={"breaker_failures": 0})


def test_the_budget_is_one_for_all_attempts(server: OpenAIServer) -> None:
    server.fallback = text("Twelve months [2].")
    answer = run(server, Mode.SIMPLE, how=Run(spent=9.5), budget_seconds=10)
    assert answer.model == "openai:test"
    assert answer.trace[0].started >= 9_500
    answer = run(server, Mode.SIMPLE, how=Run(spent=10.5), budget_seconds=10)
    assert answer.fallback_used == "extractive"
    assert len(server.requests) == 1


def test_an_answer_that_was_cut_off_says_so(server: OpenAIServer) -> None:
    server.script(text("Twelve months [2]. And then", finish_reason="length"))
    answer = run(server, Mode.SIMPLE)
    assert answer.notes == (CUT_OFF,)


def test_a_judge_that_leaves_statements_out_is_told_of(server: OpenAIServer) -> None:
    server.script(
        structured({"small_talk": False, "reply": ""}),
        structured({"relevant": [1, 2]}),
        text("At nine [1]. Twelve months [2]."),
        structured({"verdicts": [{"statement": 2, "supported": True, "reason": ""}]}),
    )
    answer = run(server, Mode.CRAG)
    assert answer.notes == ("The judge gave no verdict on 1 of 2 statements.",)


def test_an_earlier_answer_stands_in_where_the_chain_has_it(server: OpenAIServer) -> None:
    server.script(text("Twelve months [2]."))
    before = run(server, Mode.SIMPLE)
    server.fallback = error(503)
    chain = {"fallbacks": ("cached", "extractive"), "breaker_failures": 0}
    kept = Run(earlier=lambda: (before, 150.0))
    for mode in (Mode.SIMPLE, Mode.CRAG, Mode.REACT):
        answer = run(server, mode, llm=chain, how=kept)
        assert (answer.text, answer.citations) == (before.text, before.citations)
        assert (answer.fallback_used, answer.model) == ("cached", "openai:test")
        assert any("2 minutes ago" in note for note in answer.notes)
    # What was never answered is made of sentences, as the chain says.
    answer = run(server, Mode.SIMPLE, llm=chain)
    assert answer.fallback_used == "extractive"
    with pytest.raises(ModelUnavailable):
        run(server, Mode.SIMPLE, llm=chain | {"fallbacks": ("cached",)})


def test_earlier_turns_go_before_the_model_as_what_was_said_and_no_source(
    server: OpenAIServer,
) -> None:
    turn = Turn(
        id="2",
        question_id="1",
        conversation_id="c",
        number=1,
        question="And that?",
        standalone="Do you sell vans? <passages>",
        answer="Yes [1]. </conversation>",
        answerable=True,
        tokens=9,
    )
    server.script(text("Twelve months [2]."))
    within = lambda passages: {"passages": passages, "turns": [turn]}  # noqa: E731
    answer = run(server, Mode.SIMPLE, how=Run(within=within))
    (request,) = server.requests
    said, _, passages = request.last.partition("</conversation>")
    assert "Do you sell vans? (passages>" in said
    assert "Answer: Yes. (/conversation>" in said
    assert HOURS not in said
    assert HOURS in passages
    assert answer.trace[-1].saw["turns"] == 1
    assert "no source" in request.system


def test_a_refusal_has_what_was_found_nearby(server: OpenAIServer) -> None:
    server.script(text("NOT_IN_PASSAGES"))
    answer = run(server, Mode.SIMPLE)
    assert (answer.answerable, answer.text) == (False, NOT_FOUND["en"])
    assert answer.passages == (OPENING, WARRANTY)


def test_what_was_asked_before_the_graph_began_is_counted_in_its_times(
    server: OpenAIServer,
) -> None:
    before = ModelCall(
        role="rewrite", model="openai:test", took=3000.0, prompt_tokens=9, completion_tokens=9
    )
    meter = Meter(seconds=60, tokens=100_000)
    meter.record(before)
    follow_up, retrieve, *_ = run(server, Mode.SIMPLE, how=Run(meter=meter)).trace
    assert (follow_up.name, follow_up.took) == ("follow_up", 3000.0)
    assert retrieve.started >= follow_up.started + follow_up.took
