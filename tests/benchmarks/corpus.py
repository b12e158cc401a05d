"""Documents and questions of our own making, the same at every run: prose from templates."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

VOCABULARY = """
things: lanterns; ledgers; saddles; kettles; carpets; violins; bicycles; anchors; telescopes;
    barrels; clocks; quilts; ploughs; maps; kites; candles; turbines; harnesses; pianos;
    compasses; mirrors; engines
place: Alderbrook; Brackwater; Coldharbour; Dunmere; Eastfold; Farrowgate; Greenlow; Hollin;
    Ivelside; Kestrelby; Larkmoor; Millrace; Northwick; Oakhanger; Pellworth; Quarrydale;
    Rushford; Stanmarch; Thornleigh; Underhill; Westering; Yarrowby
house: museum; workshop; harbour office; cooperative; observatory; printing house; seed library;
    ropewalk; tram depot; weather station; dye works; glasshouse; mapping room; salt store
people: the harbour master; a retired surveyor; the head gardener; two apprentices; the night
    porter; a visiting engineer; the treasurer; the town clerk; a group of volunteers; the chief
    binder; the youngest trustee; an archivist from the coast
quality: patient; weathered; brittle; generous; narrow; unfinished; copper; borrowed; sturdy;
    faded; careful; crooked; polished; spare; heavy; painted; foreign; quiet; costly; forgotten
deed: repaired; counted twice; sent back by rail; lent to the school; photographed; packed in
    straw; sold at the spring fair; weighed and labelled; moved to the upper floor; oiled and
    stored; given new handles; entered in the wrong column
reason: because the roof had leaked since autumn; although nobody had asked for it; after the
    insurers wrote for a third time; so that the spring market could open on time; while the lower
    road was under water; since the old rules allowed nothing else; as the committee had promised
    in writing; before the inspector came back from leave
month: January; February; March; April; May; June; July; August; September; October; November;
    December
"""
"""What each slot of a template may be filled with: `slot: choice; choice; …`."""

SENTENCES = (
    "In {month} {year} the {house} of {place} kept {number} {quality} {things}, and {other} of "
    "them were {deed} {reason}.",
    "{people} paid {price} pounds for each of the {things} that came from {place}, which was "
    "{percent} per cent more than the year before.",
    "The {house} at {place} opens on the {day}th of {month}, and {people} hand out {number} "
    "tickets for the {quality} {things}.",
    "Nobody at {place} remembers who ordered the {number} {things}, but the bill of {price} "
    "pounds was settled in {month} {reason}.",
    "A cart carries {other} {things} from {place} to the {house} in {hours} hours when the road "
    "is dry, and in twice that time when it is not.",
    "{people} wrote that the {quality} {things} of {place} last about {years} years, provided "
    "that they are {deed} every {month}.",
    "Of the {number} visitors who came to the {house} in {month}, {other} asked for the {things} "
    "and the rest only for the view over {place}.",
    "The rule of {year} says that {quality} {things} may leave {place} only when {people} have "
    "signed for them.",
    "When the {house} burned in {year}, {people} saved {number} {things} and carried them "
    "through the snow to {place}.",
    "It takes {hours} hours and {other} hands to have one of the {things} {deed}, {reason}.",
    "Prices at {place} fell to {price} pounds in {month} {year}, {reason}, and {people} bought "
    "whatever {things} were left.",
    "The {quality} {things} are numbered from {other} to {number}; the {house} of {place} owns "
    "all that end in {digit}.",
)
QUESTIONS = (
    "How many {quality} {things} did the {house} of {place} keep in {month} {year}?",
    "What did {people} pay for the {things} from {place} in {month}?",
    "When does the {house} at {place} open for the {quality} {things}?",
    "Who settled the bill for the {number} {things} of {place}?",
    "How long does a cart with {other} {things} need from {place} to the {house}?",
    "How many years do the {quality} {things} of {place} last when {people} keep them?",
    "Which {things} were saved when the {house} near {place} burned in {year}?",
    "Why did prices of {things} fall at {place} in {month} {year}?",
)
HEADINGS = (
    "On the {things} of {place}",
    "What the {house} spent in {year}",
    "{month} at the {house}",
    "The {quality} years of {place}",
)

MARGIN, LEADING, SIZE = 54, 14, 10  # points; a full page has about 600 words


def _vocabulary() -> dict[str, list[str]]:
    entries = re.findall(r"^(\w+): (.+(?:\n .+)*)", VOCABULARY, re.MULTILINE)
    return {slot: re.split(r";\s+", " ".join(choices.split())) for slot, choices in entries}


WORDS = _vocabulary()

NUMBERS = {
    "year": (1790, 1990),
    "number": (400, 9_999),
    "other": (3, 399),
    "price": (2, 950),
    "percent": (2, 60),
    "day": (4, 20),
    "hours": (2, 30),
    "years": (2, 80),
    "digit": (0, 9),
}


def _filled(template: str, dice: random.Random) -> str:
    words = {slot: dice.choice(choices) for slot, choices in WORDS.items()}
    numbers = {slot: dice.randint(*bounds) for slot, bounds in NUMBERS.items()}
    text = template.format(**words, **numbers)
    return text[0].upper() + text[1:]


def questions(count: int, seed: int) -> list[str]:
    """Different questions about the corpus; another seed gives others."""
    dice = random.Random(f"questions {seed}")
    made: dict[str, None] = {}
    while len(made) < count:
        made[_filled(dice.choice(QUESTIONS), dice)] = None
    return list(made)


def _paragraphs(dice: random.Random) -> Iterator[tuple[bool, str]]:
    """Headings (True) and paragraphs (False), without end."""
    while True:
        yield True, _filled(dice.choice(HEADINGS), dice)
        for _ in range(dice.randint(8, 14)):
            sentences = dice.randint(3, 7)
            yield (
                False,
                " ".join(_filled(dice.choice(SENTENCES), dice) for _ in range(sentences)),
            )


def write_pdf(path: Path, pages: int, seed: int, lines: int = 50) -> Path:
    """A PDF of so many A4 pages with so many lines each, text set in one column."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.utils import simpleSplit
    from reportlab.pdfgen.canvas import Canvas

    width, height = A4
    canvas = Canvas(str(path), pagesize=A4, invariant=1)
    set_lines = (
        (heading, line)
        for heading, text in _paragraphs(random.Random(f"document {seed}"))
        for line in (*simpleSplit(text, "Helvetica", SIZE, width - 2 * MARGIN), "")
    )
    for _ in range(pages):
        for row in range(lines):
            heading, line = next(set_lines)
            canvas.setFont("Helvetica-Bold" if heading else "Helvetica", SIZE + 4 * heading)
            canvas.drawString(MARGIN, height - MARGIN - LEADING * (row + 1), line)
        canvas.showPage()
    canvas.save()
    return path


def write_corpus(folder: Path, documents: int, pages: int, first_seed: int = 0) -> list[Path]:
    """So many PDFs of so many pages each."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        write_pdf(folder / f"chronicle-{number:02}.pdf", pages, first_seed + number)
        for number in range(1, documents + 1)
    ]
