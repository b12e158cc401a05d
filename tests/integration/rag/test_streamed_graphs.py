"""What a reader is told while a graph answers, with real clients against an OpenAI double."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from flotilla.answer_streams import Written
from flotilla.errors import LeaseLost, ModelUnavailable
from flotilla.models import Answer, Mode, Passage, Query, Step
from flotilla.rag.checkpoints import Checkpoints
from flotilla.rag.refusals import NOT_FOUND
from tests.conftest import wait_until
from tests.doubles.heard import Heard
from tests.doubles.openai_replies import Reply, Request
from tests.doubles.openai_server import OpenAIServer, calls, chunked, error, structured, text
from tests.integration.rag import graph_runs
from tests.integration.rag.graph_runs import OPENING, QUERY, WARRANTY, passage

REPLY = ("Used", " cars", " twelve months [", "2", "]. We", " open at", " nine [1] ", ".")
READ = "Used cars twelve months [1]. We open at nine [2]."
QUESTION = structured({"small_talk": False, "reply": ""})
BORNE_OUT = structured({"verdicts": []})


def run(
    server: OpenAIServer | None,
    heard: Heard,
    found: Sequence[Passage] | Callable[[Query], list[Passage]] = (OPENING, WARRANTY),
    mode: Mode = Mode.SIMPLE,
    question: str = QUERY.question,
    kept: dict[str, Any] | None = None,
    **llm: Any,
) -> Answer:
    settings = {"breaker_failures": 0} | llm
    answer = graph_runs.run(server, mode, found, question, settings, listener=heard, **(kept or {}))
    # Whatever happens, this is what a reader has in the end.
    assert heard.written.text == answer.text
    told = {each["number"]: each for each in heard.written.citations}
    for citation in answer.citations:
        assert told[citation.number] == citation.model_dump(mode="json")
    return answer


class Dying(Heard):
    """A listener whose worker dies after so many tokens."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self._left = tokens

    def token(self, text: str, raw: str) -> None:
        super().token(text, raw)
        self._left -= bool(text)
        if self._left == 0:
            raise LeaseLost("Another worker has taken this over.")


class DyingAfter(Heard):
    """A listener whose worker dies once so many steps are told, the last one before it is kept."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._steps = steps

    def trace(self, step: Step) -> None:
        super().trace(step)
        if len(self.written.trace) >= self._steps:
            raise LeaseLost("Another worker has taken this over.")


def cut_off(
    server: OpenAIServer,
    tokens: int,
    found: Sequence[Passage] = (OPENING, WARRANTY),
    mode: Mode = Mode.SIMPLE,
    kept: dict[str, Any] | None = None,
) -> Written:
    """What was told by a worker that has died after so many tokens."""
    dying = Dying(tokens)
    with pytest.raises(LeaseLost):
        run(server, dying, found, mode, kept=kept)
    return dying.written


@pytest.mark.parametrize("mode", [Mode.SIMPLE, Mode.CRAG])
def test_tokens_come_as_the_model_writes_them(server: OpenAIServer, mode: Mode) -> None:
    judged = mode is Mode.CRAG
    grades = (QUESTION, structured({"relevant": [1, 2]})) if judged else ()
    server.script(*grades, chunked(*REPLY), *((BORNE_OUT,) if judged else ()))
    heard = Heard()
    answer = run(server, heard, mode=mode)
    assert answer.text == "".join(heard.tokens) == READ
    assert heard.tokens[:4] == ["Used", " cars", " twelve months", " [1]. We"]
    assert not heard.taken_back
    names = [name for name, _ in heard.events]
    assert heard.events[names.index("citation")] == ("citation", 1)
    assert heard.tokens[names[: names.index("citation")].count("token") - 1] == " [1]. We"
    steps = [told for name, told in heard.events if name == "trace"]
    assert steps == [step.name for step in answer.trace]
    # A step is told when it is finished: that of the generation behind the text, and before the
    # judge of the text is asked.
    assert heard.events[-1] == ("trace", "verify" if judged else "generate")
    assert answer.trace[-1 if not judged else -2].calls[0].first_token is not None


def test_an_agents_steps_are_told_and_then_its_answer(server: OpenAIServer) -> None:
    server.script(
        QUESTION,
        calls(("search_documents", {"query": "warranty"})),
        text("[1] [2]"),
        chunked(*REPLY),
        BORNE_OUT,
    )
    asked_before: list[int] = []

    class Watching(Heard):
        def trace(self, step: Step) -> None:
            super().trace(step)
            asked_before.append(len(server.requests))

    heard = Watching()
    answer = run(server, heard, mode=Mode.REACT)
    # Each as it is finished, and not when the whole search is.
    assert asked_before == [1, 2, 2, 3, 3, 4, 5]
    assert "".join(heard.tokens) == READ
    told = [told for name, told in heard.events if name == "trace"]
    assert told == [step.name for step in answer.trace]
    assert told[1:5] == ["think", "search_documents", "think", "research"]


def researching(request: Request) -> Reply:
    """A model that searches twice at once, and answers from what it has found."""
    if request.schema is not None:
        return BORNE_OUT if "verdicts" in request.schema["properties"] else QUESTION
    if not request.body.get("tools"):
        return chunked(*REPLY)
    if any(message["role"] == "tool" for message in request.messages):
        return text("[1] [2]")
    return calls(("search_documents", {"query": "a"}), ("search_documents", {"query": "b"}))


def in_any_order(steps: Sequence[dict[str, Any]]) -> list[str]:
    return sorted(str(step) for step in steps)


def test_tools_that_end_in_another_order_are_each_told(server: OpenAIServer) -> None:
    server.responder = researching
    heard = Heard()

    def found(query: Query) -> list[Passage]:
        if query.question == "a":  # ends when the other search was told
            wait_until(
                lambda: any(step["saw"].get("searched_for") == "b" for step in heard.written.trace),
                20,
            )
        return [OPENING, WARRANTY]

    answer = run(server, heard, found, Mode.REACT)
    told = heard.written.trace
    assert [step["saw"]["searched_for"] for step in told if "searched_for" in step["saw"]] == [
        "b",
        "a",
    ]
    assert in_any_order(told) == in_any_order(dumped(answer))


def seen(trace: Sequence[dict[str, Any]]) -> list[str]:
    return in_any_order([{key: step[key] for key in ("name", "saw")} for step in trace])


def dumped(answer: Answer) -> list[dict[str, Any]]:
    return [step.model_dump(mode="json") for step in answer.trace]


@pytest.mark.parametrize(
    ("steps", "kept", "stream_is_lost"),
    [*((number, True, False) for number in range(2, 8)), (5, False, False), (6, True, True)],
)
def test_each_step_is_told_once_wherever_a_worker_dies(
    server: OpenAIServer, tmp_path: Path, steps: int, kept: bool, stream_is_lost: bool
) -> None:
    server.responder = researching
    ledger = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    of_run = {"checkpoints": Checkpoints(ledger), "thread": "run"} if kept else None
    dying = DyingAfter(steps)
    with pytest.raises(LeaseLost):
        run(server, dying, mode=Mode.REACT, kept=of_run)
    heard = Heard() if stream_is_lost else Heard(dying.written)
    answer = run(server, heard, mode=Mode.REACT, kept=of_run)
    assert seen(heard.written.trace) == seen(dumped(answer))


def test_a_turn_that_was_kept_is_not_taken_for_the_next(
    server: OpenAIServer, tmp_path: Path
) -> None:
    kept = {"checkpoints": Checkpoints(f"sqlite:///{tmp_path / 'ledger.sqlite'}"), "thread": "run"}

    def failing(request: Request) -> Reply:
        of_agent = bool(request.body.get("tools")) and request.schema is None
        found = any(message["role"] == "tool" for message in request.messages)
        return error(503) if of_agent and found else researching(request)

    server.responder = failing
    first = Heard()
    with pytest.raises(ModelUnavailable):
        run(server, first, mode=Mode.REACT, kept=kept)
    server.responder = researching
    heard = Heard(first.written)
    answer = run(server, heard, mode=Mode.REACT, kept=kept)
    assert in_any_order(heard.written.trace) == in_any_order(dumped(answer))


def test_a_refusal_is_told_without_its_word(server: OpenAIServer) -> None:
    server.script(chunked("NOT_", "IN_PASSAGES", ": The documents", " do not say [1]", "."))
    heard = Heard()
    answer = run(server, heard)
    assert not answer.answerable
    assert heard.tokens == ["The documents", " do not say", "."]
    assert not heard.taken_back


def test_an_answer_that_turns_out_to_rest_on_nothing_is_taken_back(server: OpenAIServer) -> None:
    server.script(chunked("Paris", " is the capital [9]."))
    heard = Heard()
    answer = run(server, heard)
    assert (answer.answerable, answer.text) == (False, NOT_FOUND["en"])
    assert heard.tokens[0] == "Paris"
    assert ("back", 0) in heard.events


def test_what_stands_in_for_a_model_that_fails_for_good_replaces_what_it_said(
    server: OpenAIServer,
) -> None:
    server.script(chunked(*REPLY, cut_after=4))
    server.fallback = error(503)
    heard = Heard()
    answer = run(server, heard, fallbacks=("extractive",))
    assert answer.fallback_used == "extractive"
    assert answer.text == "We open at nine o'clock. [1]"
    assert heard.tokens[0] == "Used"
    assert heard.taken_back


def test_a_stream_that_breaks_off_goes_on_where_it_was(server: OpenAIServer) -> None:
    server.script(chunked(*REPLY, cut_after=4), chunked("]. We open", " at nine [1]", "."))
    heard = Heard()
    answer = run(server, heard, attempts=2, backoff_base=0.01, fallbacks=("openai:other",))
    assert "".join(heard.tokens) == READ
    assert not heard.taken_back
    (call,) = answer.trace[-1].calls
    assert (call.attempts, call.error) == (2, None)


def test_what_one_model_wrote_before_it_broke_off_is_a_call_of_its_own(
    server: OpenAIServer,
) -> None:
    server.script(chunked(*REPLY, cut_after=4), chunked("]. We open", " at nine [1]", "."))
    answer = run(server, Heard(), attempts=1, fallbacks=("openai:other",))
    broken, replied = answer.trace[-1].calls
    assert (broken.model, broken.error) == ("openai:test", "model_unavailable")
    assert broken.prompt_tokens > 0 < broken.completion_tokens
    assert (replied.model, replied.error) == ("openai:other", None)
    assert replied.first_token is not None
    assert replied.first_token >= 0
    assert answer.usage.prompt_tokens == broken.prompt_tokens + replied.prompt_tokens


@pytest.mark.parametrize("tokens", [1, 3, 4, 6])
def test_the_next_worker_goes_on_where_a_killed_one_was(server: OpenAIServer, tokens: int) -> None:
    server.script(chunked(*REPLY))
    written = cut_off(server, tokens)
    whole = "".join(REPLY)
    server.script(text(whole[len(written.raw) :]))
    heard = Heard(written)
    before, replied = run(server, heard).trace[-1].calls
    assert (before.error, replied.error) == ("interrupted", None)
    assert before.prompt_tokens > 0 < before.completion_tokens
    assert server.requests[-1].partial == written.raw
    assert written.text + "".join(heard.tokens) == READ
    assert not heard.taken_back
    assert [told for name, told in heard.events if name == "trace"] == ["generate"]


def test_a_run_goes_on_behind_its_last_step_and_its_last_token(
    server: OpenAIServer, tmp_path: Path
) -> None:
    kept = {"checkpoints": Checkpoints(f"sqlite:///{tmp_path / 'ledger.sqlite'}"), "thread": "run"}
    server.script(QUESTION, structured({"relevant": [2]}), chunked("Used", " cars", " [1] have"))
    written = cut_off(server, 2, mode=Mode.CRAG, kept=kept)
    server.script(text(" [1] have twelve months."), BORNE_OUT)
    heard = Heard(written)
    answer = run(server, heard, mode=Mode.CRAG, kept=kept)
    assert (
        written.text + "".join(heard.tokens) == answer.text == "Used cars [1] have twelve months."
    )
    assert answer.passages == (WARRANTY,)
    assert not heard.taken_back
    told = [*(step["name"] for step in written.trace)]
    told += [told for name, told in heard.events if name == "trace"]
    assert told == [step.name for step in answer.trace]


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        (REPLY, READ),
        (("Twelve months [2]. Fog [7]", "."), "Twelve months [1]. Fog."),
        (("NOT_IN_", "PASSAGES"), NOT_FOUND["en"]),
    ],
)
def test_a_reply_that_was_whole_is_not_asked_to_go_on(
    server: OpenAIServer, reply: tuple[str, ...], read: str
) -> None:
    server.fallback = text("Closed.")
    server.script(error(503), chunked(*reply))
    dying = DyingAfter(2)
    models = {"attempts": 1, "fallbacks": ("openai:other",)}
    with pytest.raises(LeaseLost):
        run(server, dying, **models)
    asked = len(server.requests)
    heard = Heard(dying.written)
    answer = run(server, heard, **models)
    assert len(server.requests) == asked
    assert answer.text == read
    assert heard.events == []
    # It counts as if nothing had happened.
    assert answer.usage.calls == 1
    assert answer.fallback_used == answer.model == "openai:other"
    assert answer.trace[-1].calls[0].completion_tokens > 0


def test_an_answer_is_written_anew_where_its_passages_are_gone(server: OpenAIServer) -> None:
    server.script(chunked(*REPLY))
    written = cut_off(server, 4)
    server.script(chunked("Used cars now have", " fifteen months [1]."))
    heard = Heard(written)
    newer = passage("Used cars have a warranty of fifteen months.", 3)
    answer = run(server, heard, (newer, OPENING))
    assert "twelve" not in str(server.requests[-1].messages)
    assert answer.text == "Used cars now have fifteen months [1]."
    assert heard.events[0] == ("back", 0)


def test_a_failed_attempt_leaves_what_it_told_to_the_next(server: OpenAIServer) -> None:
    server.script(chunked(*REPLY, cut_after=2), error(503))
    heard = Heard()
    with pytest.raises(ModelUnavailable):
        run(server, heard, attempts=2, backoff_base=0.01)
    assert heard.written.text == "Used cars"
    assert not heard.taken_back


@pytest.mark.parametrize(
    ("found", "mode", "question"),
    [
        ((), Mode.SIMPLE, QUERY.question),
        ((OPENING, WARRANTY), Mode.SIMPLE, QUERY.question),
        ((OPENING,), Mode.CRAG, "Hello!"),
    ],
)
def test_what_no_model_writes_is_told_as_well(
    found: Sequence[Passage], mode: Mode, question: str
) -> None:
    heard = Heard()
    answer = run(None, heard, found, mode, question)
    assert "".join(heard.tokens) == answer.text
    assert [told for name, told in heard.events if name == "trace"] == [
        step.name for step in answer.trace
    ]


def test_a_budget_that_is_spent_in_the_middle_leaves_what_was_cited(server: OpenAIServer) -> None:
    heard = Heard()
    server.script(chunked("Used cars twelve months [2].", " We", " open", " at", stall_after=3))
    answer = graph_runs.run(server, Mode.SIMPLE, listener=heard, budget_seconds=1.5)
    assert answer.text == "Used cars twelve months [1]."
    assert heard.written.text == "Used cars twelve months [1]. We open"
    assert heard.taken_back  # which the end of the stream tells
    assert [each.document_id for each in answer.citations] == ["document-2"]
    assert any("breaks off" in note for note in answer.notes)
    assert answer.fallback_used is None
    # Of what cites nothing, nothing is left.
    server.script(chunked("Used", " cars", " twelve", " months", stall_after=3))
    answer = graph_runs.run(server, Mode.SIMPLE, listener=Heard(), budget_seconds=1.5)
    assert answer.fallback_used == "extractive"
