"""What the two clients' methods have in common: where they come from, and their signatures."""

import inspect
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def named_after(build: Callable[..., Any], *, bound: int = 0) -> Callable[[F], F]:
    """Give a method the name, docstring and signature of what builds its operation.

    The first `bound` parameters of `build` are filled in by the client and do not show.
    """

    def rename(method: F) -> F:
        update_wrapper(method, build)
        own = inspect.signature(build)
        own_parameters = list(own.parameters.values())[bound:]
        client = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
        signature = own.replace(parameters=[client, *own_parameters])
        method.__signature__ = signature  # type: ignore[attr-defined]
        return method

    return rename
