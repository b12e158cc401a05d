"""Which documents a question is about, by their best passages and by their titles.

Long documents of one kind, such as a company's reports of several years, say nearly the same on the
pages that are found. What tells them apart stands in their titles and in the question.
"""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Sequence

from flotilla.models import Passage

TITLE_WEIGHT = 0.5
"""What a title that has all of the question's telling words counts, beside 1 for the best
passages."""

SHARES = (4 / 7, 2 / 7, 1 / 7)
"""What a document's best, second and third passage count: each half of the one before it."""

Terms = Callable[[str], Sequence[int]]
"""The terms of a text as numbers, the same for forms of one word."""

_WORD = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)|[^\W\d_]+|\d+")
"""Words of a file's name: what is written together is parted at digits, a year among them whole."""

_SUFFIX = re.compile(r"\.[A-Za-z]{1,5}$")


def document_scores(question: str, passages: Sequence[Passage], terms: Terms) -> dict[str, float]:
    """A score for each document of the passages, by its id: between 0 and 1 + `TITLE_WEIGHT`.

    Args:
        question: whose documents are looked for.
        passages: the best first, with scores of one search.
        terms: of a question or a title.
    """
    best: dict[str, list[float]] = defaultdict(list)
    for passage, score in zip(passages, normalised(passages), strict=True):
        best[passage.document_id].append(score)
    titles = _title_scores(question, passages, terms)
    return {
        document: sum(share * score for share, score in zip(SHARES, scores, strict=False))
        + TITLE_WEIGHT * titles[document]
        for document, scores in best.items()
    }


def by_documents(passages: Sequence[Passage], documents: dict[str, float]) -> list[Passage]:
    """The passages by their places within their documents and by these.

    A passage's new score is its own, as a share of that of its document's best passage, times the
    document's, as a share of that of the best document. So the best page of the best document is
    first, and behind it stand its other pages and the best ones of the next documents.
    """
    highest = max(documents.values(), default=0.0) or 1.0
    scores = normalised(passages)
    best: dict[str, float] = {}
    for passage, score in zip(passages, scores, strict=True):
        best[passage.document_id] = max(best.get(passage.document_id, 0.0), score)
    scored = []
    for passage, score in zip(passages, scores, strict=True):
        document = passage.document_id
        share = score / best[document] if best[document] else 1.0
        whole = share * documents.get(document, 0.0) / highest
        scored.append(passage.model_copy(update={"score": whole}))
    return sorted(scored, key=lambda each: -each.score)  # equal ones stay as they were


def normalised(passages: Sequence[Passage]) -> list[float]:
    """The passages' scores from the least of them, 0, to the highest, 1."""
    scores = [passage.score for passage in passages]
    lowest, highest = min(scores, default=0.0), max(scores, default=0.0)
    if highest == lowest:
        return [1.0] * len(scores)
    return [(score - lowest) / (highest - lowest) for score in scores]


def _title_scores(question: str, passages: Sequence[Passage], terms: Terms) -> dict[str, float]:
    """For each document which share of the question's words that are in any of the titles its own
    has: words that few of the titles have count for more."""
    asked = set(terms(_words(question)))
    titles = {each.document_id: asked & set(terms(_title(each))) for each in passages}
    count: dict[int, int] = defaultdict(int)
    for found in titles.values():
        for term in found:
            count[term] += 1
    weight = {
        term: math.log(1 + (len(titles) - times + 0.5) / (times + 0.5))
        for term, times in count.items()
    }
    total = sum(weight.values())
    return {
        document: sum(weight[term] for term in sorted(found)) / total if total else 0.0
        for document, found in titles.items()
    }


def _title(passage: Passage) -> str:
    given = passage.metadata.get("title")
    name = _SUFFIX.sub("", passage.document_name)
    return _words(f"{name} {given}" if isinstance(given, str) else name)


def _words(text: str) -> str:
    return " ".join(_WORD.findall(text))
