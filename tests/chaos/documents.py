"""Mixed documents of our own writing, each with a sentence that no other has.

Most are good: Markdown, HTML, DOCX, short PDFs and PDFs of several page ranges. A few must fail,
each for a reason that is known beforehand. The same seed makes the same documents, and of each it
is known what every word of it is.
"""

import hashlib
import html
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.corpus import HEADINGS, NUMBERS, SENTENCES, WORDS

LONG_PDF_PAGES = (8, 12)
LINES_PER_PAGE = 14
LINE_CHARS = 90


@dataclass(frozen=True)
class Planned:
    """A document that is about to be submitted.

    Args:
        number: stands in the document's metadata, so that a search can look into it alone.
        path: the file.
        markers: sentences that must be found when it is ready: at its beginning and its end.
        fails: codes with one of which it has to fail; empty for a good document.
        twice: submitted by two clients at the same moment.
        by_url: submitted as a web address, from which the fleet fetches it.
        successor: another state of the same source, submitted afterwards under the same name.
        text: all that is to be read in it, word by word: how it is spaced is the converter's.
    """

    number: int
    path: Path
    markers: tuple[str, ...]
    fails: frozenset[str] = frozenset()
    twice: bool = False
    by_url: bool = False
    successor: "Planned | None" = None
    text: str = ""

    @property
    def sha256(self) -> str:
        """Of its bytes."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @property
    def name(self) -> str:
        """The name under which it is submitted."""
        return self.path.name

    @property
    def words(self) -> tuple[str, ...]:
        """Of each marker, the word that stands nowhere else."""
        return tuple(marker.split()[3] for marker in self.markers)


def write_documents(folder: Path, count: int, seed: int) -> list[Planned]:
    """Write so many documents, in a random order of kinds.

    About one in fifteen must fail; one in ten gets a second version, one in ten is submitted twice,
    and one in ten is fetched from a web address: of each at least one, as far as there are so many.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dice = random.Random(f"documents {seed}")
    bad = max(3, count // 15)
    # Of empty files there is one: all others would have its bytes, and be duplicates of it.
    others = [maker for maker in BAD if maker is not empty]
    makers = [empty, *(others[number % len(others)] for number in range(bad - 1))]
    makers += [GOOD[number % len(GOOD)] for number in range(count - bad)]
    dice.shuffle(makers)
    plan = [write_document(folder, maker, number, seed) for number, maker in enumerate(makers)]
    good = [planned.number for planned in plan if not planned.fails]
    share = max(1, count // 10)
    chosen = dice.sample(good, min(len(good), 3 * share))
    for number in chosen[:share]:
        plan[number] = replace(plan[number], twice=True)
    for number in chosen[share : 2 * share]:
        successor = _successor(folder / "second", makers[number], number, seed)
        plan[number] = replace(plan[number], successor=successor)
    for number in chosen[2 * share :]:
        plan[number] = replace(plan[number], by_url=True)
    return plan


class Written(NamedTuple):
    """A file, and all that is to be read in it."""

    path: Path
    text: str = ""


Maker = Callable[[Path, random.Random, tuple[str, ...]], Written]


def write_document(folder: Path, maker: Maker, number: int, seed: int) -> Planned:
    """Write one document of a kind."""
    stem = folder / f"paper-{number:03}"
    markers = _markers(seed, number, "first")
    path, text = maker(stem, random.Random(f"{seed} {number}"), markers)
    if maker in BAD:
        return Planned(number, path, (), BAD[maker])
    return Planned(number, path, markers, text=text)


def _successor(folder: Path, maker: Maker, number: int, seed: int) -> Planned:
    folder.mkdir(exist_ok=True)
    markers = _markers(seed, number, "second")
    stem = folder / f"paper-{number:03}"
    path, text = maker(stem, random.Random(f"{seed} {number} second"), markers)
    return Planned(number, path, markers, text=text)


def _markers(seed: int, number: int, version: str) -> tuple[str, ...]:
    return tuple(
        f"The {place} warrant kestrel{seed}x{number}{version}{place} lies in drawer {number + 7}."
        for place in ("opening", "closing")
    )


# --- prose ---------------------------------------------------------------------------------


def _filled(template: str, dice: random.Random) -> str:
    words = {slot: dice.choice(choices) for slot, choices in WORDS.items()}
    numbers = {slot: dice.randint(*bounds) for slot, bounds in NUMBERS.items()}
    text = template.format(**words, **numbers)
    return text[0].upper() + text[1:]


def _sections(
    dice: random.Random, markers: tuple[str, ...], sections: tuple[int, int] = (2, 5)
) -> Iterator[tuple[str, list[str]]]:
    """Headings with paragraphs; the first begins and the last ends with a marker."""
    count = dice.randint(*sections)
    for number in range(count):
        paragraphs = [
            " ".join(_filled(dice.choice(SENTENCES), dice) for _ in range(dice.randint(3, 6)))
            for _ in range(dice.randint(1, 3))
        ]
        if number == 0:
            paragraphs[0] = f"{markers[0]} {paragraphs[0]}"
        if number == count - 1:
            paragraphs[-1] = f"{paragraphs[-1]} {markers[1]}"
        yield _filled(dice.choice(HEADINGS), dice), paragraphs


def _running(sections: Sequence[tuple[str, list[str]]]) -> str:
    return "\n".join(line for title, text in sections for line in (title, *text))


# --- good ones -----------------------------------------------------------------------------


def markdown(stem: Path, dice: random.Random, markers: tuple[str, ...]) -> Written:
    """A Markdown file of a few sections."""
    path = stem.with_suffix(".md")
    parts = [f"## {title}\n\n" + "\n\n".join(text) for title, text in _sections(dice, markers)]
    text = "\n\n".join(parts) + "\n"
    path.write_text(text, encoding="utf-8")
    return Written(path, text.replace("## ", ""))  # as its readers see it


def web_page(stem: Path, dice: random.Random, markers: tuple[str, ...]) -> Written:
    """An HTML page with an article."""
    path = stem.with_suffix(".html")
    sections = list(_sections(dice, markers))
    parts = [
        f"<h2>{html.escape(title)}</h2>" + "".join(f"<p>{html.escape(t)}</p>" for t in text)
        for title, text in sections
    ]
    body = f"<html><head><title>{stem.name}</title></head><body><article>"
    path.write_text(body + "".join(parts) + "</article></body></html>", encoding="utf-8")
    return Written(path, _running(sections))


def word_file(stem: Path, dice: random.Random, markers: tuple[str, ...]) -> Written:
    """A DOCX file with headings."""
    import docx

    path = stem.with_suffix(".docx")
    document = docx.Document()
    sections = list(_sections(dice, markers))
    for title, text in sections:
        document.add_heading(title, 2)
        for paragraph in text:
            document.add_paragraph(paragraph)
    document.save(str(path))
    return Written(path, _running(sections))


def short_pdf(stem: Path, dice: random.Random, markers: tuple[str, ...]) -> Written:
    """A PDF of a page or two."""
    return _pdf(stem, dice, markers, dice.randint(1, 2))


def long_pdf(stem: Path, dice: random.Random, markers: tuple[str, ...]) -> Written:
    """A PDF of several page ranges, which the whole fleet shares."""
    return _pdf(stem, dice, markers, dice.randint(*LONG_PDF_PAGES))


def _pdf(
    stem: Path,
    dice: random.Random,
    markers: tuple[str, ...],
    pages: int,
    password: str | None = None,
) -> Written:
    from reportlab.lib.pagesizes import A5
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    path = stem.with_suffix(".pdf")
    lock = StandardEncryption(password, canPrint=0) if password else None
    canvas = Canvas(str(path), pagesize=A5, invariant=1, encrypt=lock)
    text: list[str] = []
    for page in range(pages):
        lines = [_filled(dice.choice(SENTENCES), dice) for _ in range(LINES_PER_PAGE // 2)]
        if page == 0:
            lines.insert(0, markers[0])
        if page == pages - 1:
            lines.append(markers[1])
        text += lines
        cut = (piece for line in lines for piece in _wrapped(line))
        for row, line in enumerate(cut):
            canvas.setFont("Helvetica", 8)
            canvas.drawString(36, A5[1] - 48 - 14 * row, line)
        canvas.showPage()
    canvas.save()
    return Written(path, "\n".join(text))


def _wrapped(text: str) -> Iterator[str]:
    while len(text) > LINE_CHARS:
        cut = text.rindex(" ", 0, LINE_CHARS)
        yield text[:cut]
        text = text[cut + 1 :]
    yield text


# --- those that must fail ------------------------------------------------------------------


def empty(stem: Path, dice: random.Random, _: tuple[str, ...]) -> Written:
    """A file without a byte."""
    path = stem.with_suffix(".txt")
    path.write_bytes(b"")
    return Written(path)


def blank(stem: Path, dice: random.Random, _: tuple[str, ...]) -> Written:
    """A file of empty lines, of which no other has so many."""
    path = stem.with_suffix(".txt")
    path.write_bytes(b"\n" * (1 + int(stem.name.rpartition("-")[2])))
    return Written(path)


def corrupt(stem: Path, dice: random.Random, _: tuple[str, ...]) -> Written:
    """What begins as a PDF and goes on as noise."""
    path = stem.with_suffix(".pdf")
    path.write_bytes(b"%PDF-1.7\n" + dice.randbytes(4000))
    return Written(path)


def encrypted(stem: Path, dice: random.Random, markers: tuple[str, ...]) -> Written:
    """A PDF whose password nobody gives."""
    return _pdf(stem, dice, markers, 1, password="for nobody")


def wordless(stem: Path, dice: random.Random, _: tuple[str, ...]) -> Written:
    """A PDF of one page with a drawing on it and no text."""
    from reportlab.lib.pagesizes import A5
    from reportlab.pdfgen.canvas import Canvas

    path = stem.with_suffix(".pdf")
    canvas = Canvas(str(path), pagesize=A5, invariant=1)
    for _line in range(12):
        canvas.line(*(dice.randint(20, 400) for _ in range(4)))
    canvas.showPage()
    canvas.save()
    return Written(path)


GOOD: tuple[Maker, ...] = (markdown, web_page, word_file, short_pdf, long_pdf)
BAD: dict[Maker, frozenset[str]] = {
    corrupt: frozenset({"file_corrupt"}),
    encrypted: frozenset({"file_encrypted"}),
    empty: frozenset({"empty_file"}),
    blank: frozenset({"no_text"}),
    wordless: frozenset({"no_text"}),
}
