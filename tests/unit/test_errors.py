"""Every error a user can meet has a code, a status and a title of its own."""

import pickle
import re
from collections.abc import Iterator

import pytest

from flotilla import errors
from flotilla.errors import FlotillaError


def family(kind: type[FlotillaError] = FlotillaError) -> Iterator[type[FlotillaError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from family(child)


KINDS = list(family())
EVERY = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def test_all_errors_are_in_one_family() -> None:
    defined = {value for value in vars(errors).values() if isinstance(value, type)}
    assert {kind for kind in defined if issubclass(kind, Exception)} == set(KINDS)


def test_no_two_errors_share_a_code() -> None:
    codes = [kind.code for kind in KINDS]

    assert len(set(codes)) == len(codes)


@EVERY
def test_code_status_and_title_are_of_the_right_form(kind: type[FlotillaError]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)
    assert 400 <= kind.status <= 599
    assert kind.title()[0].isupper()
    assert not kind.title().endswith(".")
    assert "\n" not in kind.title()


@EVERY
def test_an_error_passes_between_processes(kind: type[FlotillaError]) -> None:
    error = kind("One sentence.", field="metadata.year", retry_after=3, task_id="1")

    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - what a worker's processes do
    assert type(again) is kind
    assert (again.message, str(again)) == ("One sentence.", "One sentence.")
    assert (again.field, again.retry_after, again.details) == ("metadata.year", 3, {"task_id": "1"})


def test_what_may_pass_is_retryable_and_what_is_wrong_is_not() -> None:
    retryable = {kind.code for kind in KINDS if kind.retryable}

    assert retryable == {
        "answer_timeout",
        "dependency_unavailable",
        "model_unavailable",
        "overloaded",
        "source_unavailable",
        "web_search_unavailable",
    }


def test_a_not_found_is_caught_as_one() -> None:
    assert sorted(kind.code for kind in KINDS if issubclass(kind, errors.NotFound)) == sorted(
        kind.code for kind in KINDS if kind.status == 404
    )
