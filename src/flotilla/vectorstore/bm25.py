"""Text to sparse BM25 vectors; Qdrant multiplies in the inverse document frequencies."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path

from flotilla.vectorstore.letters import plain_letters
from flotilla.vectorstore.spellings import one_spelling

MODEL = "Qdrant/bm25"

USUAL_LENGTH = 90.0
"""Terms that a chunk is taken to have where none is known yet: of chunks of 200 tokens of English
documentation 88 are left on average once stopwords are taken out."""

USUAL_CHUNKS = 100
"""Chunks of a collection that weigh as much as that guess."""

# English function words. Pieces that contractions leave behind ("don't" is read as "don" and
# "t") are among them. Negations are not, since a question may turn on them; nor are "may", "us"
# and such single letters as are often names.
_STOPWORDS = """
a an the this that these those such
i me my mine myself we our ours ourselves you your yours yourself yourselves
he him his himself she her hers herself it its itself they them their theirs themselves
who whom whose which what when where why how
am is are was were be been being do does did doing done have has had having
can could might must shall should will would
about above across after against along among around as at before behind below beneath beside
between beyond by down during for from in inside into near of off on onto out outside over
since through to toward towards under until up upon via with within
and but or if then than so because while although though whether unless
there here also too very just only own same both each other any some all
s t ll re ve don doesn didn isn aren wasn weren hasn haven hadn couldn shouldn wouldn
"""
STOPWORDS = frozenset(_STOPWORDS.split())


@dataclass(frozen=True)
class SparseVector:
    """The terms' indices and their weights, of equal length."""

    indices: list[int]
    values: list[float]


def average_length(terms: int, chunks: int) -> float:
    """The average length of a collection's chunks, of which so many have so many terms.

    Stored weights do not move with it: those of the first documents keep the guess, which a
    re-indexing of the collection replaces.
    """
    return (terms + USUAL_LENGTH * USUAL_CHUNKS) / (chunks + USUAL_CHUNKS)


class Bm25Encoder:
    """fastembed's BM25 (k1 = 1.2, b = 0.75, English Snowball stems), without a download.

    Words of several spellings are one (`spellings`), and so are letters (`letters`).

    A passage's weights are saturated term frequencies normalised by its length; a question's
    are 1. Safe to share between threads.
    """

    def __init__(self) -> None:
        from fastembed.sparse.bm25 import Bm25

        self._model = Bm25(
            MODEL,
            avg_len=USUAL_LENGTH,
            # Given any folder and the stopwords, fastembed asks no hub.
            specific_model_path=str(Path(__file__).parent),
            stopwords=set(STOPWORDS),
        )

    def encode_passages(
        self, texts: Sequence[str], average: float = USUAL_LENGTH
    ) -> list[SparseVector]:
        """One vector a text, in the order given; empty for a text of stopwords alone.

        `average` is the length in terms to which theirs are compared.
        """
        return self.encode_terms(self.terms(texts), average)

    def terms(self, texts: Sequence[str]) -> list[list[str]]:
        """Each text's terms, each as often as it occurs."""
        from fastembed.common.utils import remove_non_alphanumeric

        model = self._model
        return [
            model._stem(model.tokenizer.tokenize(remove_non_alphanumeric(_spelt(text))))
            for text in texts
        ]

    def encode_terms(
        self, terms: Sequence[list[str]], average: float = USUAL_LENGTH
    ) -> list[SparseVector]:
        """One vector for each text's terms, as `encode_passages` gives them of the texts."""
        model = copy(self._model)
        model.avg_len = average
        weights = (model._term_frequency(found) for found in terms)
        return [SparseVector(list(found), list(found.values())) for found in weights]

    def encode_query(self, text: str) -> SparseVector:
        """A question's vector; empty for a question of stopwords alone."""
        vector = next(iter(self._model.query_embed(_spelt(text))))
        indices = sorted(vector.indices.tolist())
        return SparseVector(indices, [1.0] * len(indices))


def _spelt(text: str) -> str:
    """The text as its words are counted. The parts of a name such as `max_tokens` are words."""
    return one_spelling(plain_letters(text).replace("_", " "))
