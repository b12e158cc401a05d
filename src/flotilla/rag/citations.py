"""Citations: from the numbers in a text to verbatim quotes, and their verification."""

import re
from collections.abc import Mapping, Sequence

from flotilla.models import Citation, Passage
from flotilla.rag.sentences import Kind, Sentence, split
from flotilla.rag.terms import coverage, terms, weights

# [2], [1, 3], [1-3], [passage 2] and the full-width brackets that some models prefer.
_MARKER = re.compile(
    r"[ \t]*[\[【]\s*(?:passages?\s+|p\.\s*)?(\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*)\s*[\]】]",
    re.IGNORECASE,
)


def cite(number: int, passage: Passage, start: int, end: int) -> Citation:
    """A citation of `passage.text[start:end]`."""
    return Citation(
        number=number,
        document_id=passage.document_id,
        document_name=passage.document_name,
        chunk_id=passage.chunk_id,
        page_start=passage.page_start,
        page_end=passage.page_end,
        heading_path=passage.heading_path,
        quote=passage.text[start:end],
        start=passage.start + start,
        end=passage.start + end,
        url=passage.url,
    )


def verify(citations: Sequence[Citation], passages: Sequence[Passage]) -> tuple[Citation, ...]:
    """The citations whose quote stands in its chunk, word for word, at the place they name.

    Places are counted in the document: `quote` has to be
    `passage.text[start - passage.start : end - passage.start]`. What says where the quote stands
    (document, pages, headings) is taken from the passage.
    """
    by_chunk = {passage.chunk_id: passage for passage in passages}
    verified = []
    for citation in citations:
        passage = by_chunk.get(citation.chunk_id)
        if passage is None:
            continue
        start, end = citation.start - passage.start, citation.end - passage.start
        if 0 <= start < end and citation.quote == passage.text[start:end]:
            verified.append(cite(citation.number, passage, start, end))
    return tuple(verified)


def unmarked(text: str) -> str:
    """The text without numbers in square brackets, for text that has some of its own."""
    return _MARKER.sub("", text)


def renumber(text: str, citations: Sequence[Citation]) -> tuple[str, tuple[Citation, ...]]:
    """The text with its numbers as 1..k in order of first use, and the citations to match.

    Numbers that no citation bears are removed from the text, and so are citations that the text
    does not use.
    """
    by_number = {citation.number: citation for citation in citations}
    order: dict[int, int] = {}

    def replace(match: re.Match[str]) -> str:
        kept = [n for n in _numbers(match.group(1)) if n in by_number]
        fresh = [order.setdefault(n, len(order) + 1) for n in dict.fromkeys(kept)]
        blank = match.group()[: len(match.group()) - len(match.group().lstrip())]
        return blank + "".join(f"[{n}]" for n in fresh) if fresh else ""

    text = _MARKER.sub(replace, text).strip()
    return text, tuple(
        by_number[old].model_copy(update={"number": new}) for old, new in order.items()
    )


def resolve(text: str, passages: Sequence[Passage]) -> tuple[str, tuple[Citation, ...]]:
    """Citations for a model's text that refers to passages by their number, counted from 1.

    Each reference becomes a citation of the sentence of that passage which is nearest to the
    claim before the reference; references to the same sentence share a number. References that
    point nowhere are removed.
    """
    found: list[Citation] = []
    places: dict[tuple[int, int, int], int] = {}
    sentences: dict[int, list[Sentence]] = {}

    def number(index: int, claim: str) -> int | None:
        if not 1 <= index <= len(passages):
            return None
        passage = passages[index - 1]
        if index not in sentences:
            sentences[index] = _quotable(passage)
        sentence = _nearest(claim, sentences[index])
        if sentence is None:
            return None
        place = (index, sentence.start, sentence.end)
        if place not in places:
            places[place] = len(found) + 1
            found.append(cite(len(found) + 1, passage, sentence.start, sentence.end))
        return places[place]

    parts: list[str] = []
    end, claim = 0, ""
    for match in _MARKER.finditer(text):
        between = text[end : match.start()]
        # Markers in a row, and one behind the full stop, rest on the same claim.
        claim = _last_claim(between) or claim
        numbers = [number(index, claim) for index in _numbers(match.group(1))]
        parts += [between, *(f" [{n}]" for n in dict.fromkeys(numbers) if n is not None)]
        end = match.end()
    parts.append(text[end:])
    text = re.sub(r"(\[\d+\])(?: +\1)+", r"\1", "".join(parts))
    return renumber(re.sub(r"[ \t]+([.,;:!?])(?=\s|$)", r"\1", text), found)


def _numbers(listed: str) -> list[int]:
    """The numbers of `1, 3` or `1-3`."""
    numbers: list[int] = []
    for part in re.split(r"[,;]", listed):
        bounds = [int(number) for number in re.findall(r"\d+", part)]
        numbers += range(bounds[0], bounds[-1] + 1) if len(bounds) == 2 else bounds
    return numbers


def _last_claim(text: str) -> str:
    """The last sentence of what stands before a marker."""
    claims = [s.shown for s in split(text) if terms(s.shown)]
    return claims[-1] if claims else ""


def _quotable(passage: Passage) -> list[Sentence]:
    """What of a passage may be quoted: its sentences, or all of it where it has none."""
    sentences = [s for s in split(passage.text, passage.heading_path) if s.kind is not Kind.HEADING]
    if sentences:
        return sentences
    bare = passage.text.strip()
    start = passage.text.find(bare)
    return [Sentence(bare, start, start + len(bare), Kind.SENTENCE)] if bare else []


def _nearest(claim: str, sentences: Sequence[Sentence]) -> Sentence | None:
    """The sentence that shares most with a claim, by the inverse frequency of its terms.

    A claim in another language shares numbers and names at best; the first sentence stands for
    the passage where it shares nothing.
    """
    if not sentences:
        return None
    worded = [terms(f"{s.header} {s.text}") for s in sentences]
    weight: Mapping[str, float] = weights(worded)
    asked = terms(claim)
    shares = [
        # Of two sentences that cover as much, the one that says less besides is nearer.
        (coverage(asked, words, weight, terms(s.heading)), coverage(words, asked, weight))
        for s, words in zip(sentences, worded, strict=True)
    ]
    best = max(range(len(sentences)), key=lambda i: (sum(shares[i]), -i))
    return sentences[best]
