"""How a task is shown: in one line while it moves, and with all its fields."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flotilla.schemas import Task, TaskEvent, TaskNote


def state_line(task: "Task | TaskEvent") -> str:
    """Where a task stands, such as `processing  vectorstore.index  12/40 chunks`."""
    return f"{task.status}  {task.stage or ''}  {progress(task) or ''}".rstrip()


def remaining(task: "Task | TaskEvent") -> str:
    """The time that is left, once it is known."""
    from flotilla.cli.progress import time_left

    if task.progress is None or task.progress.eta_seconds is None:
        return ""
    return f"  about {time_left(task.progress.eta_seconds)} left"


def progress(task: "Task | TaskEvent") -> str | None:
    """How much of the work is done, such as `12/40 chunks`."""
    if task.progress is None:
        return None
    total = "" if task.progress.total is None else f"/{task.progress.total}"
    return f"{task.progress.done}{total} {task.progress.unit}"


def note_line(note: "TaskNote") -> str:
    """What to know of a conversion, with the pages that it is about."""
    pages = "" if note.pages is None else f" (page{'s' * (not note.pages.isdigit())} {note.pages})"
    return f"{note.message}{pages}"


def _batch_fields(task: "Task") -> list[tuple[str, object]]:
    from flotilla.schemas import BatchResult

    result = BatchResult.model_validate(task.result)
    counts = {
        "completed": result.completed,
        "duplicates": result.duplicates,
        "failed": result.failed,
        "cancelled": result.cancelled,
    }
    fields: list[tuple[str, object]] = [
        (name, f"{number} of {result.documents}") for name, number in counts.items() if number
    ]
    fields += [
        ("", f"{each.name or each.task_id}: {each.message} ({each.code})")
        for each in result.failures
    ]
    return fields


def print_task(task: "Task", as_json: bool) -> None:
    """One task with all its fields."""
    from flotilla.cli.terminal import print_fields, print_json

    if as_json:
        print_json(task)
        return
    fields: list[tuple[str, object]] = [
        ("task", task.task_id),
        ("name", task.name),
        ("kind", task.kind),
        ("batch", task.parent_id),
        ("status", task.status),
        ("stage", task.stage),
        ("progress", progress(task)),
        ("attempt", task.attempt),
        ("queue", task.queue),
        ("place in queue", task.queue_position),
        ("document", task.document_id),
        ("collection", task.collection),
        ("created", task.created_at),
        ("started", task.started_at),
        ("finished", task.finished_at),
        ("result", task.result if task.kind != "batch" else None),
    ]
    if task.kind == "batch" and task.result is not None:
        fields += _batch_fields(task)
    if task.error is not None:
        fields.append(("error", f"{task.error.message} ({task.error.stage}, {task.error.code})"))
    fields += [
        ("notes" if number == 0 else "", f"{note_line(note)} ({note.code})")
        for number, note in enumerate(task.notes)
    ]
    fields += [
        (
            "failures" if number == 0 else "",
            f"{each.failed_at.astimezone():%H:%M:%S}  {each.stage}, attempt {each.attempt}: "
            f"{each.message} ({each.code})",
        )
        for number, each in enumerate(task.failures or ())
    ]
    print_fields(fields)
