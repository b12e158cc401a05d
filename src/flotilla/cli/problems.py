"""Errors as the command line tells them: one sentence, and a JSON document for scripts."""

import re
from typing import Any

import typer

HINTS = {
    "collection_not_found": "Create it with `flotilla collections create NAME`.",
    "answer_timeout": "`flotilla tasks wait {task_id}` waits for it.",
    "model_missing": "Run `flotilla models pull`.",
}
"""What helps at the command line, by the code of the problem."""


class UsageMistake(typer.BadParameter):
    """The command was not given as it has to be: exit code 2, its message told as it is."""

    def format_message(self) -> str:
        """The message without the words that a wrong value has in front."""
        return self.message


def sentence(error: Exception) -> str:
    """What is wrong and what to do, in one line, then the lines of a log where there are some."""
    message = str(getattr(error, "message", "") or error or type(error).__name__)
    if isinstance(error, OSError) and error.strerror:
        message = f"{error.filename or 'A file'}: {error.strerror}."
    hint = HINTS.get(str(getattr(error, "code", "")), "")
    if hint and "flotilla " not in message:
        message = f"{message} {hint.format(task_id=getattr(error, 'task_id', None))}"
    first, _, rest = message.partition("\n")
    return f"{first.strip()}\n{rest.rstrip()}" if rest.strip() else first.strip()


def told(error: Exception) -> str:
    """The sentence of an error; one that nobody foresaw is called a fault."""
    message = sentence(error)
    if _is_expected(error):
        return message
    return (
        f"Unexpected {type(error).__name__}: {message}. This is a fault of "
        "Flotilla's: run again with `flotilla --debug …` for the traceback."
    )


def is_of_the_parser(error: Exception) -> bool:
    """Whether typer shows the error, or ends the process by it."""
    return type(error).__module__.startswith(("typer", "click")) or isinstance(error, UsageMistake)


def problem(error: Exception) -> dict[str, Any]:
    """The error as `--json` prints it: `code`, `message`, `retryable` and what else is known.

    A problem that the gateway answered keeps its members; an error of the client is named by its
    class, such as `gateway_unreachable`.
    """
    from flotilla.client.errors import ClientError, FlotillaAPIError
    from flotilla.errors import FlotillaError

    if is_of_the_parser(error):
        usage = isinstance(error, typer.BadParameter) or hasattr(error, "format_message")
        message = error.format_message() if hasattr(error, "format_message") else "Aborted."
        return _entry("usage" if usage else "aborted", message)
    if isinstance(error, FlotillaAPIError):
        known = error.problem.model_dump(
            mode="json", exclude_none=True, exclude={"type", "detail", "code", "retryable"}
        )
        known["retry_after"] = error.retry_after
        return _entry(error.code, told(error), error.retryable, known)
    if isinstance(error, FlotillaError):
        known = {"field": error.field, "retry_after": error.retry_after} | error.details
        return _entry(error.code, told(error), error.retryable, known)
    if isinstance(error, ClientError):
        task = getattr(error, "task", None)
        known = {"task_id": task.task_id if task else None}
        return _entry(_snake_case(type(error).__name__), told(error), None, known)
    return _entry("system_error" if isinstance(error, OSError) else "internal_error", told(error))


def _entry(
    code: str, message: str, retryable: bool | None = None, known: dict[str, Any] | None = None
) -> dict[str, Any]:
    members = {"retryable": retryable} | (known or {})
    kept = {name: value for name, value in members.items() if value is not None}
    return {"code": code, "message": message} | kept


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _is_expected(error: Exception) -> bool:
    from flotilla.client.errors import ClientError
    from flotilla.errors import FlotillaError

    return isinstance(error, (FlotillaError, ClientError, OSError))
