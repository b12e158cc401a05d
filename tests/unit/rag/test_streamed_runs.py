"""A streamed run ends with its lease, and once nobody reads it."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from flotilla.answer_streams import AnswerStream
from flotilla.errors import Cancelled, FlotillaError, LeaseLost, ModelRejected, ModelUnavailable
from flotilla.models import Step
from flotilla.rag.streamed_runs import StreamedRun, listening


class Held:
    """A run whose lease may be lost, and its stream, which somebody may read."""

    def __init__(self) -> None:
        self.lost = False
        self.read = True
        self.taken_by_another = False
        self.looks = 0
        self.told: list[str] = []
        self.steps: list[Step] = []

    def checkpoint(self) -> None:
        self.looks += 1
        if self.taken_by_another:
            raise LeaseLost("Another worker has taken this over.")
        if self.lost:
            raise Cancelled("The task was cancelled while it was being worked on.")

    def wanted(self) -> bool:
        return self.read

    def token(self, text: str, raw: str) -> None:
        self.told.append(text)

    def trace(self, step: Step) -> None:
        self.told.append(step.name)
        self.steps.append(step)


def streamed(held: Held) -> StreamedRun:
    run: Any = held
    return StreamedRun(run, run)


def test_a_token_costs_no_look_at_the_ledger_while_the_lease_is_renewed() -> None:
    held = Held()
    streamed(held).token("Nine", "Nine")
    assert (held.told, held.looks) == (["Nine"], 0)


def test_a_run_that_was_cancelled_has_its_model_stopped_at_the_next_token() -> None:
    held = Held()
    held.lost = True
    with pytest.raises(Cancelled, match="worked on"):
        streamed(held).token("Nine", "Nine")
    assert held.told == []


def test_a_run_that_nobody_reads_is_cancelled_at_its_next_step() -> None:
    held = Held()
    held.read = False
    with pytest.raises(Cancelled, match="Nobody"):
        streamed(held).trace(Step(name="retrieve", started=0, took=1))


def test_a_late_worker_does_not_cancel_what_is_anothers() -> None:
    held = Held()
    held.read, held.taken_by_another = False, True
    with pytest.raises(LeaseLost):
        streamed(held).token("Nine", "Nine")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ModelUnavailable("Try later.", retry_after=7), ["attempt_failed"]),
        (ModelRejected("No."), []),
        (Cancelled("Nobody."), []),
    ],
)
def test_a_reader_is_told_of_an_attempt_that_failed_and_may_be_made_again(
    monkeypatch: pytest.MonkeyPatch, error: FlotillaError, told: list[str]
) -> None:
    held = Held()

    @contextmanager
    def opened(_job_id: str, _fence: int, *, watched: bool) -> Iterator[Held]:
        yield held

    monkeypatch.setattr(AnswerStream, "open", opened)
    run: Any = SimpleNamespace(
        job=SimpleNamespace(id="run", payload={"stream": True}),
        leased=SimpleNamespace(fence=1),
        lost=False,
        spent=2.0,
        checkpoint=held.checkpoint,
    )
    with pytest.raises(type(error)), listening(run):
        raise error
    assert held.told == told
    for step in held.steps:
        assert step.started == 2000
        assert step.saw == {
            "error": "model_unavailable",
            "detail": "Try later.",
            "retry_after": 7,
        }


@pytest.mark.parametrize("callback", [{}, {"callback_url": "https://example.org/answers"}])
def test_a_run_whose_end_is_called_back_needs_no_reader(
    monkeypatch: pytest.MonkeyPatch, callback: dict[str, str]
) -> None:
    held = Held()

    @contextmanager
    def unread(_job_id: str, _fence: int, *, watched: bool) -> Iterator[Held]:
        held.read = not watched
        yield held

    monkeypatch.setattr(AnswerStream, "open", unread)
    run: Any = SimpleNamespace(
        job=SimpleNamespace(id="run", payload={"stream": True, **callback}),
        leased=SimpleNamespace(fence=1),
        lost=False,
        checkpoint=held.checkpoint,
    )
    if callback:
        with listening(run) as listener:
            listener.token("Nine", "Nine")
        assert held.told == ["Nine"]
    else:
        with pytest.raises(Cancelled, match="Nobody"), listening(run):
            pass
