"""A run is given up only where nobody has been reading for the whole period."""

from flotilla.answer_streams.presence import Interest, lifetime, look_every

GRACE = 30.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def look_for(interest: Interest, clock: Clock, seconds: float, lasts: int) -> None:
    """Look as a worker does for so long, and see the same each time."""
    until = clock.now + seconds
    while clock.now < until:
        clock.now += look_every(GRACE)
        interest.look(lasts)


def test_a_key_that_is_missing_for_the_whole_period_ends_the_interest() -> None:
    clock = Clock()
    interest = Interest(GRACE, clock)
    look_for(interest, clock, GRACE - 3, -2)
    assert interest.wanted
    look_for(interest, clock, 4, -2)
    assert not interest.wanted


def test_a_reader_who_comes_back_in_time_begins_it_anew() -> None:
    clock = Clock()
    interest = Interest(GRACE, clock)
    look_for(interest, clock, GRACE - 3, -2)
    interest.look(lifetime(GRACE))
    look_for(interest, clock, GRACE - 3, -2)
    assert interest.wanted


def test_how_long_the_key_still_lasts_says_since_when_nobody_reads() -> None:
    clock = Clock()
    interest = Interest(GRACE, clock)
    look_for(interest, clock, 60, lifetime(GRACE))
    for seconds in range(2, int(GRACE) + 1, 2):
        clock.now += 2
        interest.look(lifetime(GRACE) - 1000 * seconds)
        assert interest.wanted == (seconds < GRACE)


def test_a_new_worker_gives_the_whole_period_again() -> None:
    clock = Clock()
    interest = Interest(GRACE, clock)
    interest.look(1)
    assert interest.wanted
    look_for(interest, clock, GRACE - 3, 1)
    assert interest.wanted


def test_a_halted_worker_and_a_redis_that_is_away_count_as_nothing() -> None:
    clock = Clock()
    interest = Interest(GRACE, clock)
    clock.now += 3600
    interest.look(-2)
    assert interest.wanted
    look_for(interest, clock, GRACE - 8, -2)
    interest.unknown()
    look_for(interest, clock, GRACE - 3, -2)
    assert interest.wanted
