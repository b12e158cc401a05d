import random

from flotilla.vectorstore.token_batches import batches


def test_every_text_is_in_one_batch_and_no_batch_has_more_tokens_than_allowed() -> None:
    dice = random.Random(1)
    lengths = [dice.randint(1, 256) for _ in range(500)]
    made = batches(lengths, 1024)
    assert sorted(place for batch in made for place in batch) == list(range(500))
    assert all(len(batch) * max(lengths[place] for place in batch) <= 1024 for batch in made)


def test_little_is_padded() -> None:
    dice = random.Random(2)
    lengths = [dice.randint(20, 256) for _ in range(64)]
    padded = sum(
        len(batch) * max(lengths[place] for place in batch) for batch in batches(lengths, 1024)
    )
    assert padded < 1.1 * sum(lengths)


def test_the_longest_come_first_so_that_nobody_waits_for_them_at_the_end() -> None:
    first, *_, last = batches([3, 900, 20, 700], 1000)
    assert (first, last) == ([1], [2, 0])


def test_a_text_that_is_longer_than_a_batch_is_one_by_itself() -> None:
    assert batches([50, 2000, 2000], 1000) == [[1], [2], [0]]


def test_texts_without_tokens_and_no_texts() -> None:
    assert batches([0, 0], 10) == [[0, 1]]
    assert batches([], 10) == []
