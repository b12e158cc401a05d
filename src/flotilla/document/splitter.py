"""Split a document's pages into chunks along its headings and sentences."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from flotilla.document.context import ContextWriter
from flotilla.document.pieces import Cutter, Part, Piece
from flotilla.document.sections import SENTENCE_END, Section, sections
from flotilla.document.tokens import (
    FunctionCounter,
    TokenCounter,
    TokenizerCounter,
    load_tokenizer,
)
from flotilla.errors import ConfigurationError
from flotilla.models import Chunk, DataType, Page, chunk_id

if TYPE_CHECKING:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

# From coarse to fine: paragraphs, sentences, lines (rows of tables, items of lists), clauses,
# words, characters. A full stop after a letter or a short capitalised word is an abbreviation,
# after a number at the start of a line it belongs to the number.
SEPARATORS = (
    r"\n\s*\n",
    r"(?<=[.!?…。！？])(?<!\b[A-Z]\.)(?<!\b[A-Z][a-z]\.)(?<!\n\d\.)(?<!\n\d\d\.)(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bMrs\.)"
    r"[\"'”’)\]]{0,2}\s+",
    r"\n",
    r"(?<=[,;:|])\s+",
    r"\s+",
    "",
)
# A chunk below this share of the size is too little to be found by: it joins its neighbour.
TINY_SHARE = 1 / 8
# What is embedded ahead of a chunk, beyond a table's header, as a share of its size.
CONTEXT_SHARE = 1 / 4
LINE_END = re.compile(r"\n")
WORD = re.compile(r"\S+\s*")


class _Draft:
    """Pieces that become one chunk."""

    def __init__(self, piece: Piece) -> None:
        self.pieces = [piece]
        self.tokens = piece.tokens

    def add(self, piece: Piece) -> None:
        self.pieces.append(piece)
        self.tokens += piece.tokens

    @property
    def opens(self) -> bool:
        return self.pieces[0].opens

    @property
    def part(self) -> Part | None:
        """Of which table or picture this is."""
        return self.pieces[0].part

    @property
    def section(self) -> Section:
        """The section of its largest piece."""
        return max(self.pieces, key=lambda piece: len(piece.text)).section

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


class Splitter(Protocol):
    """Cuts a document's pages into chunks."""

    def split(
        self, pages: Iterable[Page], *, document_id: str, version_id: str, title: str = ""
    ) -> Iterator[Chunk]:
        """The chunks of a document in reading order, while its pages stream in; its title is
        embedded with each of them."""
        ...


class SectionSplitter:
    """Splits pages into chunks of at most `chunk_tokens` tokens.

    A chunk stays within the section of one heading, unless the section is tiny; sentences stay
    whole where they fit, across pages as well. Neighbouring chunks of one section share up to
    `overlap` tokens, whole sentences if possible.

    Args:
        tokens: the counter; a folder with a `tokenizer.json`; or a function that counts.
        chunk_tokens: the most tokens of a chunk, special tokens excluded.
        overlap: the most tokens that neighbouring chunks share.

    Raises:
        ConfigurationError: the overlap leaves less than half of a chunk for new text.
        ModelMissing: the folder holds no tokenizer.
    """

    def __init__(
        self,
        tokens: TokenCounter | Path | Callable[[str], int],
        *,
        chunk_tokens: int,
        overlap: int,
    ) -> None:
        if overlap * 2 > chunk_tokens:
            raise ConfigurationError(
                f"The overlap of {overlap} tokens is more than half of a chunk's {chunk_tokens}; "
                "lower FLOTILLA_DOCUMENT_CHUNK_OVERLAP."
            )
        if isinstance(tokens, Path):
            self._tokens: TokenCounter = TokenizerCounter(load_tokenizer(tokens))
        elif callable(tokens):
            self._tokens = FunctionCounter(tokens)
        else:
            self._tokens = tokens
        self._size = chunk_tokens
        self._overlap = overlap
        self._tiny = chunk_tokens * TINY_SHARE
        self._cutter = Cutter(self._tokens.quick, self._cut, chunk_tokens, overlap)
        self._context = ContextWriter(self._tokens.quick, int(chunk_tokens * CONTEXT_SHARE))

    def split(
        self, pages: Iterable[Page], *, document_id: str, version_id: str, title: str = ""
    ) -> Iterator[Chunk]:
        """The chunks of a document in reading order, while its pages stream in.

        No more than a few pages and one section's cut are held at a time.
        """
        position = 0
        before: _Draft | None = None
        for draft in self._drafts(pages):
            shared = self._shared(before, draft)
            before = draft
            section, part = draft.section, draft.part
            region = part.placed.region if part else None
            context = self._context.write(title, section.path, part, draft.text)
            for start, text, tokens in self._fit(draft.pieces[0].start, shared, draft.text):
                yield Chunk(
                    id=chunk_id(document_id, version_id, position),
                    document_id=document_id,
                    version_id=version_id,
                    position=position,
                    text=text,
                    start=start,
                    end=start + len(text),
                    page_start=section.pages.number_at(start),
                    page_end=section.pages.number_at(start + len(text) - 1),
                    heading_path=section.path,
                    tokens=tokens,
                    data_type=region.data_type if region else DataType.TEXT,
                    context=context,
                    html=part.html if part else None,
                    box=region.box if region else None,
                )
                position += 1

    def _pieces(self, pages: Iterable[Page]) -> Iterator[Piece]:
        for section in sections(pages):
            yield from self._cutter.pieces(section)

    def _cut(self, text: str, budget: int) -> list[str]:
        """Parts of at most `budget` tokens that make up the text when put together."""
        if self._tokens.quick(text) <= budget:
            return [text]
        return self._recursive(budget, self._tokens.quick).split_text(text)

    def _drafts(self, pages: Iterable[Page]) -> Iterator[_Draft]:
        held: _Draft | None = None
        current: _Draft | None = None
        for piece in self._pieces(pages):
            if current is None:
                current = _Draft(piece)
            elif self._joins(current, piece):
                current.add(piece)
            else:
                if held is not None:
                    yield held
                held, current = current, _Draft(piece)
        if held and current and current.tokens < self._tiny and not (held.part or current.part):
            # Nothing follows that the rest could join.
            room = self._size if held.opens else self._size - self._overlap
            if held.tokens + current.tokens <= room:
                for piece in current.pieces:
                    held.add(piece)
                current = None
        yield from (draft for draft in (held, current) if draft is not None)

    def _joins(self, draft: _Draft, piece: Piece) -> bool:
        same = draft.pieces[-1].section.number == piece.section.number
        if draft.part or piece.part:
            # What stands right below a table, such as a note, is read with it.
            below = draft.part is not None and piece.part is None and piece.tokens < self._tiny
            return same and below and draft.tokens + piece.tokens <= self._size
        if not same and not (draft.opens and draft.tokens < self._tiny):
            return False
        # Room for what a chunk inside a section shares with the one before it.
        room = self._size if draft.opens else self._size - self._overlap
        return draft.tokens + piece.tokens <= room

    def _shared(self, before: _Draft | None, draft: _Draft) -> str:
        """The end of the chunk before that is said again at the start of this one."""
        if before is None or draft.opens or not self._overlap or before.part or draft.part:
            return ""
        last = before.pieces[-1]
        if last.section.number != draft.pieces[0].section.number:
            return ""
        # Only what stands in the same section, and not all of it.
        text = last.text[1:]
        room = min(self._overlap, self._size - draft.tokens)
        for boundary in (SENTENCE_END, LINE_END):
            for found in boundary.finditer(text):
                rest = text[found.end() :]
                if rest.strip() and self._tokens.quick(rest) <= room:
                    return rest
        start, used = len(text), 0
        for word in reversed(list(WORD.finditer(text))):
            used += self._tokens.quick(word[0])
            if used > room:
                break
            start = word.start()
        return text[start:]

    def _fit(self, start: int, shared: str, text: str) -> Iterator[tuple[int, str, int]]:
        """Start, text and tokens of the chunks that a draft makes: one, if counting was right."""
        for said in (shared + text, text) if shared else (text,):
            chunk = said.strip()
            if not chunk:
                return
            tokens = self._tokens.exact([chunk])[0]
            if tokens <= self._size:
                at = start + len(text) - len(said) + len(said) - len(said.lstrip())
                yield at, chunk, tokens
                return
        at = start
        for part in self._recursive(self._size, self._exact).split_text(text):
            if part.strip():
                left = len(part) - len(part.lstrip())
                yield at + left, part.strip(), self._exact(part.strip())
            at += len(part)

    def _exact(self, text: str) -> int:
        return self._tokens.exact([text])[0]

    def _recursive(
        self, size: int, length: Callable[[str], int]
    ) -> "RecursiveCharacterTextSplitter":
        """Cuts only between characters and drops none, so that offsets can be added up."""
        from langchain_text_splitters import RecursiveCharacterTextSplitter

        return RecursiveCharacterTextSplitter(
            separators=list(SEPARATORS),
            is_separator_regex=True,
            keep_separator="end",
            strip_whitespace=False,
            chunk_size=max(1, size),
            chunk_overlap=0,
            length_function=length,
        )
