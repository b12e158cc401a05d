import pytest

from flotilla.document.tokens import TokenizerCounter, load_tokenizer
from flotilla.local.model.pull import pull
from flotilla.settings import Settings

TEXTS = (
    "",
    "The ledger decides; the canvas only wires.",
    "don't stop—now… it's 3.5 °C",
    "naïve café\u3000日本語 テスト",
    "\u2028x\u200by \xa0 z",
    "[SEP] [CLS] [MASK]ing",
    "a\u0301b\x00c ﬁne ①②",
    "a\x0bfew\x0cpages\x0cin one",
    "foo\x1cbar\x1dbaz\x1e.\x1f\x85end",
    "word " * 400,
)


@pytest.fixture(scope="module")
def counter() -> TokenizerCounter:
    return TokenizerCounter(load_tokenizer(pull(Settings())))


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_has_as_many_tokens_as_its_tokenizer_makes(
    counter: TokenizerCounter, text: str
) -> None:
    tokenizer = load_tokenizer(pull(Settings()))
    expected = len(tokenizer.encode(text, add_special_tokens=False).ids)
    assert counter.exact([text]) == [expected]
