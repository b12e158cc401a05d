"""Each question that was posed has its answer, or a reason why nobody took it."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flotilla.client.errors import FlotillaAPIError, GatewayUnreachable
from flotilla.schemas import Problem, TaskStatus
from tests.chaos.documents import Planned, markdown, write_document
from tests.chaos.ledger import JobState
from tests.chaos.questions import Question, Questioner
from tests.chaos.replies import judge_questions
from tests.chaos.submission import Refused
from tests.chaos.troubles import HALTED, Trouble, Troubles
from tests.chaos.verdict import Verdict

QUIET = Troubles()


@pytest.fixture
def planned(tmp_path: Path) -> Planned:
    return write_document(tmp_path, markdown, 7, 1)


def answer(planned: Planned) -> dict[str, Any]:
    text = planned.markers[0]
    return {"text": text, "passages": [{"text": text, "version_id": "v"}]}


def refusal(status: int, task_id: str | None = None) -> FlotillaAPIError:
    problem = Problem(
        title="No", status=status, detail="No.", code="none", retryable=False, task_id=task_id
    )
    return FlotillaAPIError(problem)


def posed(planned: Planned, ask: Callable[[Question], None]) -> Question:
    """A question that a thread has posed."""
    question = Question(planned, 0, planned, began=100.0)
    Questioner("http://127.0.0.1:9", "any", [planned], lambda _: None)._pose_one(question, ask)
    question.ended = 101.0
    return question


def raises(error: Exception) -> Callable[[Question], None]:
    def ask(_: Question) -> None:
        raise error

    return ask


def judged(
    *questions: Question, troubles: Troubles = QUIET, task: Any = None, **jobs: JobState
) -> Verdict:
    questioner = Questioner("http://127.0.0.1:9", "any", [], lambda _: None)
    questioner.posed += questions
    verdict = Verdict("any", 1)
    judge_questions(verdict, questioner, jobs, troubles, lambda _: task)
    return verdict


def job(status: str) -> JobState:
    return JobState("q", "query", status, "rag.answer", 1, None, None, "code", "Why.", None)


def test_an_answer_is_counted_and_judged(planned: Planned) -> None:
    verdict = judged(Question(planned, 0, planned, answer=answer(planned)))
    assert (verdict.questions, verdict.answered, verdict.judged) == (1, 1, 1)
    assert not verdict.unanswered
    assert not verdict.broken


@pytest.mark.parametrize(
    "error", [refusal(500), refusal(422), refusal(504), Refused("none", "No."), ValueError("bug")]
)
def test_what_nothing_excuses_is_wrong_whatever_was_away(
    planned: Planned, error: Exception
) -> None:
    troubles = Troubles([Trouble(HALTED, 0.0, 200.0), Trouble("gateway", 100.0, 100.0)])
    verdict = judged(posed(planned, raises(error)), troubles=troubles)
    assert len(verdict.unanswered) == 1
    assert verdict.refused == 0


@pytest.mark.parametrize("error", [refusal(503), GatewayUnreachable("It broke off.")])
def test_who_is_refused_while_the_stack_is_halted_has_a_reason(
    planned: Planned, error: Exception
) -> None:
    question = posed(planned, raises(error))
    assert judged(question).unanswered
    assert judged(question, troubles=Troubles([Trouble(HALTED, 200.0, 210.0)])).unanswered
    excused = judged(question, troubles=Troubles([Trouble(HALTED, 80.0, 90.0)]))
    assert (excused.refused, excused.unanswered) == (1, [])


def test_a_killed_worker_is_no_reason_to_refuse_a_question(planned: Planned) -> None:
    troubles = Troubles([Trouble("rag-1", 100.0, 100.0)])
    assert judged(posed(planned, raises(refusal(503))), troubles=troubles).unanswered


def test_a_killed_gateway_is_one_for_a_connection_that_broke_off(planned: Planned) -> None:
    troubles = Troubles([Trouble("gateway", 100.5, 100.5)])
    assert judged(posed(planned, raises(GatewayUnreachable("x"))), troubles=troubles).refused == 1


def test_what_goes_on_under_its_task_id_has_to_be_answered_there(planned: Planned) -> None:
    def late() -> Question:
        return posed(planned, raises(refusal(504, task_id="q")))

    done = SimpleNamespace(status=TaskStatus.COMPLETED, result=answer(planned), error=None)
    empty = SimpleNamespace(status=TaskStatus.COMPLETED, result=None, error=None)
    lost = SimpleNamespace(status=TaskStatus.PENDING, result=None, error=None)
    assert judged(late(), task=done, q=job("completed")).answered == 1
    assert judged(late(), task=empty, q=job("completed")).unanswered
    assert judged(late(), task=lost, q=job("pending")).unanswered
    assert judged(late(), task=None).unanswered  # the ledger does not know it


def test_a_question_that_failed_is_wrong_also_where_nobody_got_its_id(planned: Planned) -> None:
    right = Question(planned, 0, planned, answer=answer(planned))
    assert judged(right, q=job("failed")).unanswered


def test_a_thread_that_ends_by_an_error_is_noticed(planned: Planned) -> None:
    def broken(_: Planned) -> Planned | None:
        raise RuntimeError("bug")

    questioner = Questioner("http://127.0.0.1:9", "any", [planned], broken, pause=0.0)
    questioner._pose("waits", lambda _: None)
    assert "bug" in questioner.broken[0]
    verdict = Verdict("any", 1)
    judge_questions(verdict, questioner, {}, QUIET, lambda _: None)
    assert any("bug" in line for line in verdict.broken)
