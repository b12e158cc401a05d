"""Citations: quotes under the numbers of a text, and their verification."""

import re
from collections.abc import Callable, Sequence

from flotilla.models import Citation, Part, Passage
from flotilla.rag.code_spans import outside_code

# [2], [1, 3], [1-3], [passage 2] and the full-width brackets that some models prefer.
# Everything in it is bounded: it is looked for while a text is being written, again and again.
MARKER = re.compile(
    r"[ \t]{0,64}[\[【]\s{0,9}(?:passages?\s{1,9}|p\.\s{0,9})?"
    r"(\d{1,3}(?:\s{0,9}[,;–-]\s{0,9}\d{1,3}){0,49})\s{0,9}[\]】]",
    re.IGNORECASE,
)
"""A reference to passages, with the blanks before it."""


def cite(number: int, passage: Passage, start: int, end: int) -> Citation:
    """A citation of `passage.text[start:end]`.

    In a passage that has grown it is of the chunk that holds the quote, the one which was found if
    that does; of the first, and up to the pages of the last, where it runs over several. It is cut
    where it would run over white space that is not known letter by letter: what is left is its
    longest stretch.
    """
    start, end, first, last = _place(passage, start, end)
    return Citation(
        number=number,
        document_id=passage.document_id,
        document_name=passage.document_name,
        chunk_id=first.chunk_id,
        page_start=first.page_start,
        page_end=last.page_end,
        heading_path=first.heading_path,
        quote=passage.text[start:end],
        start=passage.start + start,
        end=passage.start + end,
        url=passage.url,
    )


def by_chunk(passages: Sequence[Passage]) -> dict[str, Passage]:
    """The passages by the ids of the chunks that they are of."""
    parts = {part.chunk_id: passage for passage in passages for part in passage.parts}
    return parts | {passage.chunk_id: passage for passage in passages}


def _place(
    passage: Passage, start: int, end: int
) -> tuple[int, int, Part | Passage, Part | Passage]:
    """The longest stretch of `start:end` whose text is the document's own, and its first and last
    chunk."""
    found: list[tuple[int, int, list[Part]]] = []
    for run in _runs(passage.parts):
        low = max(start + passage.start, run[0].start)
        high = min(end + passage.start, run[-1].end)
        if low < high:
            found.append(
                (low, high, [each for each in run if each.start < high and low < each.end])
            )
    if not found:
        return start, end, passage, passage
    low, high, parts = max(found, key=lambda each: each[1] - each[0])
    whole = [each for each in parts if each.start <= low and high <= each.end]
    whole.sort(key=lambda each: each.chunk_id != passage.chunk_id)
    first, last = (whole[0], whole[0]) if whole else (parts[0], parts[-1])
    return low - passage.start, high - passage.start, first, last


def _runs(parts: Sequence[Part]) -> list[list[Part]]:
    """The parts of a passage, those together that touch or overlap."""
    runs: list[list[Part]] = []
    for part in parts:
        if runs and part.start <= runs[-1][-1].end:
            runs[-1].append(part)
        else:
            runs.append([part])
    return runs


def verify(citations: Sequence[Citation], passages: Sequence[Passage]) -> tuple[Citation, ...]:
    """The citations whose quote stands in its chunk, word for word, at the place they name.

    Places are counted in the document: `quote` has to be
    `passage.text[start - passage.start : end - passage.start]`. What says where the quote stands
    (document, pages, headings) is taken from the passage.
    """
    known = by_chunk(passages)
    verified = []
    for citation in citations:
        passage = known.get(citation.chunk_id)
        if passage is None:
            continue
        start, end = citation.start - passage.start, citation.end - passage.start
        if 0 <= start < end and citation.quote == passage.text[start:end]:
            verified.append(cite(citation.number, passage, start, end))
    return tuple(verified)


def unmarked(text: str) -> str:
    """The text without numbers in square brackets, for text that has some of its own; those in code
    stay."""
    return _replaced(text, lambda _: "")


def renumber(text: str, citations: Sequence[Citation]) -> tuple[str, tuple[Citation, ...]]:
    """The text with its numbers as 1..k in order of first use, and the citations to match.

    Numbers that no citation bears are removed from the text, and so are citations that the text
    does not use.
    """
    by_number = {citation.number: citation for citation in citations}
    order: dict[int, int] = {}

    def replace(match: re.Match[str]) -> str:
        kept = [n for n in numbers_of(match.group(1)) if n in by_number]
        fresh = [order.setdefault(n, len(order) + 1) for n in dict.fromkeys(kept)]
        blank = match.group()[: len(match.group()) - len(match.group().lstrip())]
        return blank + "".join(f"[{n}]" for n in fresh) if fresh else ""

    text = _replaced(text, replace).strip()
    return text, tuple(
        by_number[old].model_copy(update={"number": new}) for old, new in order.items()
    )


def _replaced(text: str, replace: Callable[[re.Match[str]], str]) -> str:
    """The text with something else in the place of its references."""
    parts: list[str] = []
    end = 0
    for match in outside_code(MARKER, text):
        parts += (text[end : match.start()], replace(match))
        end = match.end()
    return "".join((*parts, text[end:]))


def numbers_of(listed: str) -> list[int]:
    """The numbers of `1, 3` or `1-3`; of a long range its beginning."""
    numbers: list[int] = []
    for part in re.split(r"[,;]", listed):
        bounds = [int(number) for number in re.findall(r"\d+", part)]
        numbers += (
            range(bounds[0], min(bounds[0] + 50, bounds[-1] + 1)) if len(bounds) == 2 else bounds
        )
    return numbers
