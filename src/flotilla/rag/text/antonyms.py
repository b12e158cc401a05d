"""Deeds and their opposites: to embeddings, joining a club and leaving it are nearly one.

The pairs are of general English and German, and of no trade. What may be said of one matter in both
words, as that a shop is open or closed, is no pair: the one answers for the other.
"""

import re
from functools import lru_cache

from flotilla.rag.text.inflection import german_root
from flotilla.rag.text.terms import content_words, stem

_ENGLISH = """
join become enrol enroll joining | leave leaving quit resign resignation
subscribe | unsubscribe
activate | deactivate
enable | disable
install | uninstall
arrive arrival | depart departure
raise increase | lower reduce reduction
upgrade | downgrade
attach | detach
insert | remove
lock | unlock
import | export
upload | download
"""
_GERMAN = """
anmelden anmeldung | abmelden abmeldung
beitreten eintreten beitritt eintritt | austreten austritt
einziehen einzug | ausziehen auszug
aktivieren | deaktivieren
installieren | deinstallieren
ankommen ankunft | abreisen abreise abfahrt
erhöhen erhöhung | senken senkung mindern
"""
_ACCOUNT = r"\s+(?:an?|my|your|the|this|ein|mein|das)\s+(?:\w+\s+)?(?:account|konto)\b"
_OPEN_ACCOUNT = re.compile(rf"\bopen(?:ed|ing|s)?{_ACCOUNT}", re.IGNORECASE)
_CLOSE_ACCOUNT = re.compile(
    rf"\bclos(?:e|ed|ing|es){_ACCOUNT}|\baccount\s+(?:is|will be|be)\s+closed\b", re.IGNORECASE
)


@lru_cache(maxsize=1)
def _pairs() -> tuple[tuple[frozenset[str], frozenset[str]], ...]:
    sides: list[tuple[frozenset[str], frozenset[str]]] = []
    for lines, root in ((_ENGLISH, stem), (_GERMAN, german_root)):
        for line in lines.strip().splitlines():
            one, other = (frozenset(map(root, side.split())) for side in line.split("|"))
            sides += [(one, other), (other, one)]
    return tuple(sides)


@lru_cache(maxsize=4096)
def _roots(text: str) -> frozenset[str]:
    words = content_words(text)
    return frozenset([*map(stem, words), *map(german_root, words)])


def tells_opposite(question: str, text: str) -> bool:
    """Whether a text tells of the opposite of what a question asks, and not of that itself."""
    if _OPEN_ACCOUNT.search(question) and _CLOSE_ACCOUNT.search(text):
        return not _OPEN_ACCOUNT.search(text)
    if _CLOSE_ACCOUNT.search(question) and _OPEN_ACCOUNT.search(text):
        return not _CLOSE_ACCOUNT.search(text)
    asked = _roots(question)
    for one, other in _pairs():
        if asked & one and not asked & other:
            told = _roots(text)
            if told & other and not told & one:
                return True
    return False
