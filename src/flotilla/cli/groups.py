"""How the command line parses and fails: errors as one sentence, bare nouns as lists."""

from itertools import takewhile
from typing import Any

import typer
from typer.core import TyperGroup

from flotilla.cli.problems import is_of_the_parser, problem, told

JSON_WANTED = "flotilla.json"
"""Where the context remembers that `--json` was given, whether or not the rest can be parsed."""


class ErrorsAsSentences(TyperGroup):
    """The root group: any error ends as one red line and exit code 1, with `--json` also as
    `{"error": …}` on stdout."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, and remember whether a script reads stdout."""
        ctx.meta[JSON_WANTED] = "--json" in takewhile(lambda argument: argument != "--", args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (BrokenPipeError, typer.Exit):
            raise
        except Exception as error:
            from flotilla.cli.terminal import print_error, print_json

            if ctx.meta[JSON_WANTED]:
                print_json({"error": problem(error)})
            if is_of_the_parser(error) or (ctx.obj or {}).get("debug"):
                raise
            print_error(told(error))
            raise typer.Exit(1) from None


class ListsByDefault(TyperGroup):
    """A noun's group: without a command it runs `list`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, with `list` put in front where no command is named."""
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
            args = ["list", *args]
        return super().parse_args(ctx, args)
