"""Count tokens as the embedding model does."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from flotilla.errors import ModelMissing

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Words whose count is remembered; a book has some ten thousand.
REMEMBERED_WORDS = 200_000

# What Python takes for white space and BERT for control characters, which it leaves out: the words
# on both sides become one.
JOINING = re.compile(r"[\x0b\x0c\x1c-\x1f\x85]")


class TokenCounter(Protocol):
    """Counts tokens, special ones excluded."""

    def exact(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text, as the model counts them."""
        ...

    def quick(self, text: str) -> int:
        """About the tokens of a text, at the speed of looking words up."""
        ...


def load_tokenizer(folder: Path) -> "Tokenizer":
    """The tokenizer of the model in `folder`, without truncation and padding.

    Raises:
        ModelMissing: there is no `tokenizer.json` in it.
    """
    from tokenizers import Tokenizer

    file = folder / "tokenizer.json"
    if not file.is_file():
        raise ModelMissing(
            f"There is no tokenizer.json in {folder.name}; run `flotilla models pull`."
        )
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


class TokenizerCounter:
    """Counts with a tokenizer.

    `quick` adds up the counts of the words between white space, each of which is encoded once.
    For BERT's tokenizers, which never join what white space separates, this is exact, and costs a
    fourth of reading the text.
    """

    def __init__(self, tokenizer: "Tokenizer") -> None:
        self._tokenizer = tokenizer
        self._words: dict[str, int] = {}
        kind = type(tokenizer.pre_tokenizer).__name__
        self._adds_up = kind == "BertPreTokenizer"

    def exact(self, texts: Sequence[str]) -> list[int]:
        if self._adds_up and not any(map(JOINING.search, texts)):
            return [self.quick(text) for text in texts]
        return self._encoded(texts)

    def _encoded(self, texts: Sequence[str]) -> list[int]:
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding) for encoding in encodings]

    def quick(self, text: str) -> int:
        words = text.split()
        new = list({word for word in words if word not in self._words})
        if new:
            if len(self._words) + len(new) > REMEMBERED_WORDS:
                self._words.clear()
                new = list(set(words))
            self._words.update(zip(new, self._encoded(new), strict=True))
        known = self._words
        return sum(known[word] for word in words)


class FunctionCounter:
    """Counts with any function, such as `lambda text: len(text.split())`."""

    def __init__(self, count_tokens: Callable[[str], int]) -> None:
        self.quick = count_tokens

    def exact(self, texts: Sequence[str]) -> list[int]:
        return [self.quick(text) for text in texts]
