"""How sure a figure is, and a difference: bootstrap intervals and paired tests, by SciPy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flotilla.evaluation.measures import Values

RESAMPLES = 10_000
SEED = 20_240
"""The same figures give the same intervals."""

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over questions, with the ends of its 95% interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better than the first setting one is: the mean difference, the ends of its 95%
    interval, the p-value of a paired permutation test, and the same by Holm's correction for as
    many settings as were compared."""

    mean: float
    low: float
    high: float
    p: float
    p_holm: float

    @property
    def is_certain(self) -> bool:
        """Whether it is unlikely to be chance."""
        return self.p_holm < 1 - LEVEL


def estimate(values: Values) -> Estimate:
    """The mean with its interval: percentiles of means of questions that are drawn anew, with
    replacement."""
    mean = float(np.mean(values))
    if values.size < 2 or np.ptp(values) == 0:
        return Estimate(mean, mean, mean)
    from scipy.stats import bootstrap

    found = bootstrap(
        (values,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method="percentile",
        batch=1000,
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return Estimate(mean, float(found.low), float(found.high))


def p_value(values: Values, others: Values) -> float:
    """Of the paired permutation test that two settings are alike: how often the signs of the
    questions' differences, drawn at random, give as large a mean difference, either way."""
    differences = values - others
    differences = differences[differences != 0]  # nothing is changed by the sign of a zero
    if differences.size < 2:  # of one, both signs are as extreme
        return 1.0
    from scipy.stats import permutation_test

    tested = permutation_test(
        (differences,),
        np.sum,
        permutation_type="samples",
        n_resamples=RESAMPLES,
        vectorized=True,
        batch=1000,
        rng=np.random.default_rng(SEED),
    )
    return float(tested.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values by Holm's correction, in the order given."""
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def differences(values: Sequence[Values]) -> list[Difference | None]:
    """Each setting's difference from the first, for which there is None."""
    if not values:
        return []
    first, *others = values
    ps = [p_value(each, first) for each in others]
    found: list[Difference | None] = [None]
    for each, p, p_holm in zip(others, ps, holm(ps), strict=True):
        of_pairs = estimate(each - first)
        found.append(Difference(of_pairs.mean, of_pairs.low, of_pairs.high, p, p_holm))
    return found
