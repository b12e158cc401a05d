"""How the command line parses and fails: errors as one sentence, bare nouns as lists."""

from typing import Any

import typer
from typer.core import TyperGroup

HINTS = {
    "collection_not_found": "Create it with `flotilla collections create NAME`.",
    "answer_timeout": "`flotilla tasks wait {task_id}` waits for it.",
    "model_missing": "Run `flotilla models pull`.",
}
"""What helps at the command line, by the code of the problem."""


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


def _is_expected(error: Exception) -> bool:
    from flotilla.client.errors import ClientError
    from flotilla.errors import FlotillaError

    return isinstance(error, (FlotillaError, ClientError, OSError))


class ErrorsAsSentences(TyperGroup):
    """The root group: any error ends as one red line and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except Exception as error:
            own_exit = type(error).__module__.startswith(("typer", "click"))
            if own_exit or (ctx.obj or {}).get("debug"):
                raise
            from flotilla.cli.terminal import print_error

            message = sentence(error)
            if not _is_expected(error):
                message = (
                    f"Unexpected {type(error).__name__}: {message}. This is a fault of "
                    "Flotilla's: run again with `flotilla --debug …` for the traceback."
                )
            print_error(message)
            raise typer.Exit(1) from None


class ListsByDefault(TyperGroup):
    """A noun's group: without a command it runs `list`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, with `list` put in front where no command is named."""
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
            args = ["list", *args]
        return super().parse_args(ctx, args)
