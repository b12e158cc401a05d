"""What a failed attempt is told as, and when the next one is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flotilla.errors import DependencyUnavailable, FileCorrupt, FlotillaError
from flotilla.ledger.attempts import LONGEST_WAIT, as_task_error, backoff
from flotilla.settings import JobSettings


@given(attempt=st.integers(1, 200), base=st.floats(0.01, 10), cap=st.floats(0.01, 600))
def test_a_delay_is_between_nothing_and_its_ceiling(attempt: int, base: float, cap: float) -> None:
    settings = JobSettings(backoff_base=base, backoff_cap=cap)

    assert 0 <= backoff(settings, attempt, None) <= min(cap, base * 2.0 ** (attempt - 1))


def test_delays_grow_and_differ() -> None:
    settings = JobSettings(backoff_base=1, backoff_cap=60)
    delays = {attempt: [backoff(settings, attempt, None) for _ in range(300)] for attempt in (1, 5)}

    assert max(delays[1]) <= 1 < max(delays[5])
    assert len(set(delays[5])) > 250


@given(retry_after=st.floats(0, 1000), attempt=st.integers(1, 10))
def test_no_delay_is_shorter_than_retry_after(retry_after: float, attempt: int) -> None:
    assert backoff(JobSettings(), attempt, retry_after) >= retry_after


@given(retry_after=st.floats(), attempt=st.integers(1, 10_000))
def test_no_retry_after_keeps_a_job_from_its_end(retry_after: float, attempt: int) -> None:
    settings = JobSettings()
    longest = LONGEST_WAIT + settings.backoff_cap
    assert 0 <= backoff(settings, attempt, retry_after) <= longest


def test_those_who_were_told_the_same_do_not_come_back_at_once() -> None:
    assert len({backoff(JobSettings(), 3, 30.0) for _ in range(300)}) > 250


@pytest.mark.parametrize("error", [FileCorrupt("Damaged."), DependencyUnavailable("Away.")])
def test_an_error_of_ours_is_told_in_its_own_words(error: FlotillaError) -> None:
    told = as_task_error("document.convert", error)

    assert (told.stage, told.code, told.message, told.retryable) == (
        "document.convert",
        error.code,
        error.message,
        error.retryable,
    )


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (ConnectionResetError("at 10.0.0.7"), True),
        (KeyError("secret"), False),
        (MemoryError(), False),
    ],
)
def test_an_unexpected_error_is_told_by_its_kind_alone(error: Exception, retryable: bool) -> None:
    told = as_task_error("document.convert", error)

    assert (told.code, told.retryable) == ("internal_error", retryable)
    assert type(error).__name__ in told.message
    assert not error.args or str(error.args[0]) not in told.message
