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
_DOES = r"(?:can|will|may|must|[a-z]{2,}(?<!s)s)\b"
_WE = re.compile(r"\b(?:we|us|our|ours)\b", re.IGNORECASE)


def addressed(question: str, passages: "Sequence[Passage]") -> str:
    """A question with "you" in place of the publisher's name, where that does what is asked.

    A name is the publisher's where several passages have it and its documents say "we", more often
    than they say what something of that name does.
    """
    for match in _NAMED_DEED.finditer(question):
        name = match["name"].casefold()
        those = [p for p in passages if name in p.text.casefold()]
        documents = {p.document_id for p in those}
        texts = [p.text for p in passages if p.document_id in documents]
        acts = re.compile(rf"\b{re.escape(match['name'])}(?:\s+[A-ZÄÖÜ][\w-]*)*\s+{_DOES}")
        ours = sum(len(_WE.findall(text)) for text in texts)
        theirs = sum(len(acts.findall(text)) for text in texts)
        if len(those) >= FEWEST and ours > theirs:
            deed = {"does": "do", "Does": "Do"}.get(match["deed"], match["deed"])
            return f"{question[: match.start()]}{deed} you {question[match.end() :]}"
    return question
