import pytest

from flotilla.rag.text.asked import expanded


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ("What's the fee, and who’s the chair?", "What is the fee, and who is the chair?"),
        ("whats the fee", "what is the fee"),
        ("Where're the keys?", "Where are the keys?"),
        ("Whose is it? It's mine.", "Whose is it? It's mine."),
    ],
)
def test_is_and_are_are_written_out(asked: str, written: str) -> None:
    assert expanded(asked) == written
