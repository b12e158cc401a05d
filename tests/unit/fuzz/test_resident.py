"""Which memory counts as flat."""

import random

import pytest

from tests.fuzz.resident import CHILD, MEBIBYTE, Program, ResidentMemory, Series


def series(*levels: float, seconds: int = 400) -> Series:
    """Straight lines between levels in MiB that are the same time apart, with a little noise."""
    dice, steps = random.Random(7), len(levels) - 1
    samples = []
    for at in range(seconds):
        place = at * steps / seconds
        before, after = levels[int(place)], levels[int(place) + 1]
        level = before + (after - before) * (place - int(place)) + dice.uniform(-1, 1)
        samples.append(int(level * MEBIBYTE))
    return Series(samples)


def steps(*quarters: float) -> Series:
    """A level in MiB for each quarter of the time, as the tables show them."""
    return Series([int(level * MEBIBYTE) for level in quarters for _ in range(100)])


@pytest.mark.parametrize(
    "quarters",
    [
        (103, 105, 109, 110),
        (103, 104, 108, 110),
        (534, 547, 549, 552),
        (504, 519, 526, 527),
        (127, 127, 127, 127),
        (90, 200, 200, 200),
        (200, 190, 200, 180),
    ],
)
def test_what_was_measured_without_a_leak_is_flat(quarters: tuple[float, ...]) -> None:
    assert steps(*quarters).excess() <= 0


@pytest.mark.parametrize(("before", "after"), [(110, 206), (100, 128), (300, 330), (550, 584)])
def test_what_grows_with_every_file_is_not_flat(before: float, after: float) -> None:
    assert series(before, after).excess() > 0


def test_what_grows_once_and_late_is_not_flat() -> None:
    assert steps(100, 100, 140, 140).excess() > 0


def watched(**programs: Program) -> ResidentMemory:
    memory = object.__new__(ResidentMemory)
    memory.programs = {name.replace("_child", CHILD): each for name, each in programs.items()}
    return memory


def of_lives(*lives: Series) -> Program:
    """Children that follow one another."""
    program = Program()
    for pid, life in enumerate(lives):
        for size in life.samples:
            program.add({pid: size})
    return program


def test_what_each_child_loses_is_not_hidden_by_the_next() -> None:
    leaking = of_lives(*(series(150, 200, 240, 280, 320, seconds=120) for _ in range(8)))
    assert leaking.largest.excess() <= 0  # which is why it is not asked
    memory = watched(document_child=leaking)
    assert memory.growing() == [f"document{CHILD}"]


def test_a_child_that_meets_a_large_file_late_loses_nothing() -> None:
    calm = [series(150, 230, 232, 233, 234, seconds=120) for _ in range(5)]
    late = [series(150, 200, 201, 202, 300, seconds=120) for _ in range(2)]
    memory = watched(document_child=of_lives(*calm, *late))
    assert memory.growing() == []


def test_what_has_just_begun_is_not_asked() -> None:
    begun = [series(150, 250, seconds=40) for _ in range(9)]
    calm = series(150, 230, 232, 233, 234, seconds=120)
    assert watched(document_child=of_lives(calm, *begun)).growing() == []
    assert watched(document_child=of_lives(*begun)).is_flat(f"document{CHILD}") is None


def test_what_keeps_what_it_is_given_is_not_judged() -> None:
    assert watched(qdrant=of_lives(series(90, 900))).growing() == []
