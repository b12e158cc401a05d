"""What strings say of an answer, where no model judges it: words, numbers and quotes."""

import re
from collections import Counter

from flotilla.models import Answer
from flotilla.rag.text.terms import terms

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_CITATION = re.compile(r"\s?\[\d+(?:,\s*\d+)*\]")


def content_words(text: str) -> list[str]:
    """The stems of a text's words that say something, without numbers and marks of citations."""
    return [each for each in terms(_CITATION.sub("", text)) if not each[0].isdigit()]


def numbers(text: str) -> set[str]:
    """The numbers of a text, without the signs that group thousands; without those of citations."""
    return {each.replace(",", "").rstrip(".") for each in _NUMBER.findall(_CITATION.sub("", text))}


def against_right_answer(text: str, right: str) -> dict[str, float]:
    """How much of the right answer's words and numbers an answer has; F1 by words, which takes
    its own length into account."""
    wanted, had = Counter(content_words(right)), Counter(content_words(text))
    shared = sum((wanted & had).values())
    found: dict[str, float] = {}
    if wanted:
        found["words of the right answer"] = sum(each in had for each in wanted) / len(wanted)
        found["F1 by words"] = 2 * shared / (wanted.total() + had.total())
    if figures := numbers(right):
        found["numbers of the right answer"] = len(figures & numbers(text)) / len(figures)
    return found


def against_passages(answer: Answer) -> dict[str, float]:
    """How much of an answer stands in what was retrieved: its words and numbers, and its quotes
    word for word."""
    read = " ".join(each.text for each in answer.passages)
    known, figures = set(content_words(read)), numbers(read)
    words, own = content_words(answer.text), numbers(answer.text)
    found: dict[str, float] = {}
    if words:
        found["words that stand in the passages"] = sum(w in known for w in words) / len(words)
    if own:
        found["numbers that stand in the passages"] = len(own & figures) / len(own)
    if answer.citations:
        plain = " ".join(read.split())
        quotes = [" ".join(each.quote.split()) in plain for each in answer.citations]
        found["quotes that stand in the passages"] = sum(quotes) / len(quotes)
    return found
