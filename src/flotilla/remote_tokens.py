"""Tokens of texts for a model whose tokenizer is not on this machine.

OpenAI's models count with tiktoken, whose tables `flotilla models pull` brings. For others, and
where the tables are not here, tokens are estimated from the words, rather too many than too few: a
chunk is then a little smaller, and no text is cut off.
"""

import re
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tiktoken

LETTERS_PER_TOKEN = 5
"""Of a word in Latin letters; tokenizers of some 100 000 tokens have most English words whole."""

DIGITS_PER_TOKEN = 3

_PIECES = re.compile(r"([A-Za-z]+)|(\d+)|\s+|(.)", re.DOTALL)


def estimated_tokens(text: str) -> int:
    """About the tokens of a text, in any language: one for each character that is no Latin letter
    or digit."""
    tokens = 0
    for letters, digits, other in _PIECES.findall(text):
        if letters:
            tokens += -(-len(letters) // LETTERS_PER_TOKEN)
        elif digits:
            tokens += -(-len(digits) // DIGITS_PER_TOKEN)
        elif other:
            tokens += 1
    return tokens


@lru_cache(maxsize=8)
def remote_counter(model: str) -> Callable[[str], int]:
    """What counts a text's tokens for a model, given as `openai:NAME`; nothing is downloaded."""
    encoding = _encoding(model)
    if encoding is None:
        return estimated_tokens
    return lambda text: len(encoding.encode_ordinary(text))


_offline = threading.Lock()


def _encoding(model: str) -> "tiktoken.Encoding | None":
    """tiktoken's encoding, if its tables are in its cache."""
    try:
        import tiktoken
        from tiktoken import load
    except ImportError:
        return None

    def absent(blobpath: str) -> bytes:
        raise FileNotFoundError(blobpath)

    with _offline:
        # It would ask the web without a bound in time, and has no option not to.
        read_file, load.read_file = load.read_file, absent
        try:
            return tiktoken.encoding_for_model(model.partition(":")[2])
        except (KeyError, OSError, ValueError):
            return None
        finally:
            load.read_file = read_file


def fetch_tables(model: str) -> bool:
    """Bring tiktoken's tables for a model into its cache; whether they are there now.

    It asks the web, and takes as long as the web does.
    """
    try:
        import tiktoken

        tiktoken.encoding_for_model(model.partition(":")[2])
    except Exception:  # noqa: BLE001 - an estimate will do, whatever the reason
        return False
    remote_counter.cache_clear()
    return True
