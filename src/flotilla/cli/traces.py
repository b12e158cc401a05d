"""How an answer came about, step by step, for the terminal."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flotilla.models import Answer, ModelCall, Step

LONGEST_VALUE = 60
"""Characters of a text that a step saw."""


def print_trace(answer: "Answer") -> None:
    """The steps of a run: when each began, what it took and saw, and its calls of models."""
    from rich.table import Table
    from rich.text import Text

    from flotilla.cli.terminal import out

    table = Table.grid(padding=(0, 2))
    for justify in ("right", "right", "left", "left"):
        table.add_column(justify=justify)
    table.add_row(*(Text(name, style="bold") for name in ("at", "took", "step", "")))
    for step in answer.trace:
        table.add_row(
            f"{step.started:.0f} ms",
            f"{step.took:.0f} ms",
            Text(step.name, style="cyan"),
            Text("\n".join(_told(step))),
        )
    console = out()
    console.print()
    console.print(table)
    usage = answer.usage
    if usage.calls:
        cost = "" if usage.cost is None else f", cost {usage.cost:.6f}"
        tokens = f"{usage.prompt_tokens} + {usage.completion_tokens} tokens"
        console.print(Text(f"{usage.calls} calls of models, {tokens}{cost}", style="dim"))


def _told(step: "Step") -> Iterator[str]:
    yield ", ".join(f"{name}: {_shown(value)}" for name, value in step.saw.items())
    for call in step.calls:
        yield _called(call)


def _called(call: "ModelCall") -> str:
    tries = f", {call.attempts} attempts" if call.attempts > 1 else ""
    failed = f", failed: {call.error}" if call.error is not None else ""
    return (
        f"{call.model} as {call.role}, {call.prompt_tokens} + {call.completion_tokens} tokens, "
        f"{call.took:.0f} ms{tries}{failed}"
    )


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_shown, value)) or "none"
    if isinstance(value, dict):
        return " ".join(f"{name}={_shown(each)}" for name, each in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE].rstrip()}…"
