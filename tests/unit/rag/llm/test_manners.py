from flotilla.rag.llm.manners import AGAIN_AFTER, Manners


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_strictest_manner_is_tried_again_after_a_while() -> None:
    clock = Clock()
    manners = Manners(clock)
    manners.worked("model", 2, certain=True)
    manners.worked("model", 2, certain=True)
    assert (manners.first("model"), manners.first("other")) == (2, 0)
    clock.now = AGAIN_AFTER
    assert manners.first("model") == 0
    manners.worked("model", 2, certain=True)
    assert manners.first("model") == 2


def test_what_is_not_certain_has_to_happen_again_at_once() -> None:
    manners = Manners(Clock())
    for number in (1, 0, 1):
        manners.worked("model", number, certain=False)
        assert manners.first("model") == 0
    manners.worked("model", 1, certain=False)
    assert manners.first("model") == 1
