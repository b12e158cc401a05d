import pytest
from hypothesis import given
from hypothesis import strategies as st

from flotilla.remote_tokens import estimated_tokens, remote_counter


@pytest.mark.parametrize(
    ("text", "fewest", "most"),
    [
        ("", 0, 0),
        ("The yard opens at nine o'clock.", 8, 12),  # tiktoken counts 8
        ("Öffnungszeiten am Wochenende", 6, 12),
        ("2024-11-30", 5, 6),
        ("東京都", 3, 6),
    ],
)
def test_an_estimate_is_near_and_rather_too_high(text: str, fewest: int, most: int) -> None:
    assert fewest <= estimated_tokens(text) <= most


@given(st.text(max_size=50), st.text(max_size=50))
def test_two_texts_have_no_more_tokens_than_both(first: str, second: str) -> None:
    assert estimated_tokens(f"{first} {second}") == (
        estimated_tokens(first) + estimated_tokens(second)
    )


def test_a_model_that_tiktoken_does_not_know_is_estimated() -> None:
    assert remote_counter("openai:bge-m3") is estimated_tokens


def test_nothing_is_downloaded_to_count(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    def online(*_: object, **__: object) -> None:
        raise AssertionError("the web was asked")

    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("requests.get", online)
    monkeypatch.setattr("tiktoken.registry.ENCODINGS", {})
    remote_counter.cache_clear()
    assert remote_counter("openai:text-embedding-3-small") is estimated_tokens
    remote_counter.cache_clear()
