"""What became of the questions: each has its answer, or there is a reason why it was not taken."""

from collections.abc import Callable, Mapping

from flotilla.schemas import Task, TaskStatus
from tests.chaos.ledger import JobState
from tests.chaos.questions import Question, Questioner
from tests.chaos.troubles import Troubles
from tests.chaos.verdict import Verdict

ReadTask = Callable[[str], Task | None]


def judge_questions(
    verdict: Verdict,
    questioner: Questioner,
    jobs: Mapping[str, JobState],
    troubles: Troubles,
    read: ReadTask,
) -> None:
    """Count what was answered and refused, and add what is wrong with it.

    Args:
        verdict: that is added to.
        questioner: who has asked.
        jobs: of the collection, as the ledger has them.
        troubles: when what was out of order.
        read: a task by its id, as the API tells it.
    """
    verdict.questions = len(questioner.posed)
    verdict.broken += questioner.broken
    for question in questioner.posed:
        fault = _fault(verdict, question, jobs, troubles, read)
        if fault is not None:
            verdict.unanswered.append(fault)
    # Of these the reply was cut off: nobody has their ids.
    posed = {question.task_id for question in questioner.posed}
    verdict.unanswered += [
        f"question {job.id} {job.status}: {job.error_code} {job.error_message}"
        for job in jobs.values()
        if job.kind == "query" and job.id not in posed and job.final and job.status != "completed"
    ]
    if not verdict.judged:
        verdict.broken.append("no question was answered of which the answer was known")


def _fault(
    verdict: Verdict,
    question: Question,
    jobs: Mapping[str, JobState],
    troubles: Troubles,
    read: ReadTask,
) -> str | None:
    if question.answer is None and question.task_id is not None:
        if question.task_id not in jobs:
            return f"question {question.task_id} was accepted and is unknown"
        task = read(question.task_id)
        if task is None or task.status is not TaskStatus.COMPLETED or not task.result:
            return f"question {question.task_id} has no answer: {_state(task)}"
        question.answer = task.result
    if question.answer is None:
        if question.excused(troubles):
            verdict.refused += 1
            return None
        return f"{question.planned.name}: {question.text!r} was not answered: {question.trouble}"
    verdict.answered += 1
    verdict.judged += question.known is not None
    return question.fault()


def _state(task: Task | None) -> str:
    if task is None:
        return "the API does not tell its task"
    error = f", {task.error.code}: {task.error.message}" if task.error else ""
    return f"its task is {task.status.value}{error}"
