"""Questions that call whoever wrote the documents by name: "Does Pawsure cover neutering?".

In the documents that name is "we". Written out it stands in few sentences, of which hardly one
tells anything, and to embeddings those are the nearest.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flotilla.models import Passage

FEWEST = 2
"""Passages that a publisher's name is in: what is in one alone may be anybody's."""

_NAMED_DEED = re.compile(
    r"\b(?P<deed>[Dd]oes|[Dd]id|[Dd]o|[Cc]an|[Ww]ill|[Cc]ould|[Ww]ould)\s+"
    r"(?P<name>(?!I\b)[A-ZÄÖÜ][\w&'’-]*(?:\s+(?:of|and|&)?\s*[A-ZÄÖÜ][\w&'’-]*)*)\s+(?=[a-z])"
)
_WE = re.compile(r"\b(?:we|us|our|ours)\b", re.IGNORECASE)


def addressed(question: str, passages: "Sequence[Passage]") -> str:
    """A question with "you" in place of the publisher's name, where that does what is asked.

    A name is the publisher's where several passages have it and its documents say "we".
    """
    for match in _NAMED_DEED.finditer(question):
        name = match["name"].casefold()
        those = [p for p in passages if name in p.text.casefold()]
        documents = {p.document_id for p in those}
        ours = any(p.document_id in documents and _WE.search(p.text) for p in passages)
        if len(those) >= FEWEST and ours:
            deed = {"does": "do", "Does": "Do"}.get(match["deed"], match["deed"])
            return f"{question[: match.start()]}{deed} you {question[match.end() :]}"
    return question
