import pytest

from flotilla.errors import BudgetSpent
from flotilla.models import ModelCall
from flotilla.rag.llm import Meter


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def call(tokens: int = 10, cost: float | None = 0.5) -> ModelCall:
    return ModelCall(
        role="answer", model="m", took=1.0, prompt_tokens=tokens, completion_tokens=1, cost=cost
    )


def test_the_time_is_spent_when_its_seconds_are_over() -> None:
    clock = Clock()
    meter = Meter(seconds=5, tokens=100, clock=clock)
    clock.now = 4.0
    meter.check()
    assert meter.remaining_seconds() == 1.0
    clock.now = 6.0
    assert meter.remaining_seconds() == 0.0
    with pytest.raises(BudgetSpent) as caught:
        meter.check()
    assert caught.value.which == "time"
    assert caught.value.details == {"which": "time"}


def test_the_tokens_are_spent_by_calls_and_by_what_broke_off() -> None:
    meter = Meter(seconds=5, tokens=20)
    meter.record(call(10))
    meter.check()
    meter.spend(9)
    assert meter.overspent() is None
    with pytest.raises(BudgetSpent) as caught:
        meter.check()
    assert caught.value.which == "tokens"
    meter.record(call(5))
    told = meter.overspent()
    assert told is not None
    assert "26 tokens" in told
    assert "budget of 20:" in told


def test_usage_adds_up_and_has_no_cost_where_a_price_is_missing() -> None:
    meter = Meter(seconds=5, tokens=1000)
    assert meter.usage().cost == 0
    meter.record(call())
    meter.record(call(), stands_in=True)
    usage = meter.usage()
    assert (usage.calls, usage.prompt_tokens, usage.completion_tokens) == (2, 20, 2)
    assert usage.cost == 1.0
    assert meter.fallback_used == "m"
    meter.record(call(cost=None))
    assert meter.usage().cost is None
