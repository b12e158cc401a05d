"""Whether a citation is of what is right: of a passage, page or span that the data set names."""

from collections.abc import Sequence

from flotilla.evaluation.comparison import Locate
from flotilla.evaluation.data_sets import DataSet, Kind
from flotilla.evaluation.measures import is_near
from flotilla.evaluation.ranking import ranked
from flotilla.evaluation.retrieval import Hit
from flotilla.models import Citation


class Gold:
    """What is right, for citations to be held against.

    Args:
        data_set: it names what is right.
        found_as: ids of sources by the name of their document.
        locate: where a hit stands in a source.
    """

    def __init__(self, data_set: DataSet, found_as: dict[str, list[str]], locate: Locate) -> None:
        self._data_set = data_set
        self._found_as = found_as
        self._locate = locate
        self._texts = {each.id: _plain(each.text) for each in data_set.sources if each.text}

    def knows(self, question: str) -> bool:
        """Whether anything is right for the question."""
        return question in self._data_set.grades or question in self._data_set.spans

    def share(self, question: str, citations: Sequence[Citation]) -> float:
        """Which share of the citations is of what is right; 0 where there are none."""
        if not citations:
            return 0.0
        return sum(self._is_right(question, each) for each in citations) / len(citations)

    def _is_right(self, question: str, citation: Citation) -> bool:
        """By its place; a quote that stands in a right passage word for word is right as well,
        wherever it was found. A page may be off by one."""
        hit = Hit(
            citation.document_name,
            citation.quote,
            citation.start,
            citation.end,
            citation.page_start,
            citation.page_end,
        )
        if self._data_set.kind is Kind.SPANS:
            return self._overlaps(question, hit)
        right = self._data_set.grades[question]
        items = ranked(self._data_set.kind, [hit], self._found_as)
        if self._data_set.kind is Kind.PAGES:
            return any(is_near(item, each) for item in items for each in right)
        if any(item in right for item in items):
            return True
        quote = _plain(citation.quote)
        return any(quote in self._texts.get(each, "") for each in right)

    def _overlaps(self, question: str, hit: Hit) -> bool:
        return any(
            span.source == source and start < span.end and span.start < end
            for source in self._found_as.get(hit.document, ())
            for start, end in self._locate(source, hit)
            for span in self._data_set.spans[question]
        )


def _plain(text: str) -> str:
    return " ".join(text.split())
