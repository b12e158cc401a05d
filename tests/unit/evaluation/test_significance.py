"""Intervals and tests: what is known of them without drawing."""

import numpy as np
import pytest

from flotilla.evaluation.significance import differences, estimate, holm, p_value


def test_holms_correction() -> None:
    # By hand: the least times 4, the next times 3, and so on; none less than one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_an_interval_is_about_the_mean_and_the_same_each_time() -> None:
    values = np.array([0.0, 1.0] * 50)

    first, second = estimate(values), estimate(values)

    assert first == second
    assert first.mean == 0.5
    # 1.96 standard errors of 100 draws at 0.5 are 0.098.
    assert first.low == pytest.approx(0.402, abs=0.02)
    assert first.high == pytest.approx(0.598, abs=0.02)


@pytest.mark.parametrize("values", [[0.25], [0.25, 0.25, 0.25]])
def test_values_that_are_all_alike_have_no_width(values: list[float]) -> None:
    found = estimate(np.array(values))

    assert (found.low, found.mean, found.high) == (0.25, 0.25, 0.25)


def test_the_paired_test_is_exact_for_few_questions() -> None:
    # Of the 2^5 signs of five differences of one sign two are as extreme.
    better = np.array([0.2, 0.4, 0.6, 0.8, 1.0])

    assert p_value(better, better - 0.1) == pytest.approx(2 / 32)
    assert p_value(better, better) == 1.0
    assert p_value(better, np.array([0.0, *better[1:]])) == 1.0


def test_questions_that_do_not_differ_say_nothing() -> None:
    some = np.array([0.5] * 20 + [0.2, 0.4, 0.6, 0.8, 1.0])
    others = np.array([0.5] * 20 + [0.1, 0.3, 0.5, 0.7, 0.9])

    assert p_value(some, others) == pytest.approx(2 / 32)


def test_each_is_compared_with_the_first() -> None:
    first = np.zeros(12)

    none, same, better = differences([first, first, first + 0.5])

    assert none is None
    assert same is not None
    assert (same.mean, same.p, same.p_holm, same.is_certain) == (0, 1, 1, False)
    assert better is not None
    assert (better.mean, better.low, better.high) == (0.5, 0.5, 0.5)
    assert better.p == pytest.approx(2 / 2**12)
    assert better.p_holm == pytest.approx(2 * better.p)
    assert better.is_certain
