"""What a document is called where its chunks are embedded: by its title, and by its file's name."""

import re
from pathlib import PurePosixPath

MOST_CHARS = 200
"""Characters of a title that are kept; longer ones are texts."""

# What programs write into a document's properties and nobody called it.
_PROGRAM = re.compile(
    r"(?:microsoft (?:word|powerpoint|excel) - |untitled|unnamed|document\d*$|presentation\d*$|"
    r"slide \d+$|title$|\d+$|\(?(?:anonymous|unspecified|null|none)\)?$|about:blank$|https?://)",
    re.IGNORECASE,
)
_FILE_NAME = re.compile(r"^\S+\.\w{2,5}$")
_WORD = re.compile(r"\w+")
# An id or a digest says nothing to a reader, nor to a model.
_DIGEST = re.compile(r"(?=\w*\d)[0-9a-f]{8,}", re.IGNORECASE)
_SAYING = re.compile(r"[^\W\d_]{2,}")


def title_of(name: str, found: str | None) -> str:
    """The title of a document of which the file is called `name`, and the properties `found`.

    A title that a program made up is none. The name's words are said as well where they tell
    more, such as the year of a report; its suffix, underscores and the like are not.
    """
    named = readable(name)
    title = " ".join((found or "").split())[:MOST_CHARS]
    if not title or _PROGRAM.match(title) or _FILE_NAME.match(title):
        return named
    said = {word.casefold() for word in _WORD.findall(title)}
    more = {word.casefold() for word in _WORD.findall(named)} - said
    return f"{title} ({named})" if more and named else title


def readable(name: str) -> str:
    """A file's name, or an address, as words; empty where it has none that say anything."""
    path = PurePosixPath(re.sub(r"[?#].*$", "", name))
    stem = path.stem if re.fullmatch(r"\.\w{1,8}", path.suffix) else path.name
    words = re.sub(r"[_+\s]+|(?<=[a-zA-Z])-(?=[a-zA-Z])|%20", " ", stem).split()
    shown = [word for word in words if not _DIGEST.fullmatch(word.strip("-"))]
    return " ".join(shown) if _SAYING.search(" ".join(shown)) else ""
