"""A mutated file for each number: the seed and the number decide all of it."""

import random
from dataclasses import dataclass

from tests.fuzz import mutate_bytes, mutate_docx, mutate_pdf, mutate_text
from tests.fuzz.mutate_bytes import LARGEST, Mutation
from tests.fuzz.originals import Original, originals

OF_FORMAT: dict[str, tuple[Mutation, ...]] = {
    "pdf": mutate_pdf.PDF,
    "docx": mutate_docx.DOCX,
    "pptx": mutate_docx.DOCX,
    "xlsx": mutate_docx.DOCX,
    "epub": mutate_docx.DOCX,
    "html": mutate_text.HTML,
    "md": mutate_text.MARKDOWN,
    "eml": mutate_text.MAIL,
    "csv": mutate_text.TEXT,
    "txt": mutate_text.TEXT,
}
KNOWING_SHARE = 0.65  # of the mutations know their format; bytes alone seldom get past its doors
# An archive's checksums refuse nearly every change of its bytes, so most are made within.
ZIPPED = ("docx", "pptx", "xlsx", "epub")
KNOWING_SHARES = dict.fromkeys(ZIPPED, 0.88)


@dataclass(frozen=True)
class MutatedFile:
    """A file to be sent, and how it came about."""

    number: int
    name: str
    data: bytes
    format: str
    mutations: tuple[str, ...]
    password: str | None

    def __str__(self) -> str:
        return (
            f"#{self.number} {self.name} ({' + '.join(self.mutations)}, {len(self.data):,} bytes)"
        )


def mutated_file(seed: int, number: int) -> MutatedFile:
    """The file of this number; the originals take turns, so that each format has its share."""
    dice = random.Random(f"{seed}/{number}")
    chosen = originals()
    original = chosen[number % len(chosen)]
    data, names = original.data, []
    for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 5))):
        mutation = _drawn(original.format, dice)
        data = mutation(data, _other(original, dice).data, dice)[: _largest(original.format)]
        names.append(mutation.__name__)
    stem = original.name.rpartition(".")[0]
    # A wrong name is a mutation too: types are told by content first, by name second.
    suffix = original.format if dice.random() < 0.95 else dice.choice((*OF_FORMAT, "bin"))
    password = original.password if dice.random() < 0.9 else dice.choice((None, "wrong", "é\0"))
    return MutatedFile(
        number=number,
        name=f"{stem}-{seed}-{number}.{suffix}",
        data=data,
        format=original.format,
        mutations=tuple(names),
        password=password,
    )


def _largest(kind: str) -> int:
    return mutate_docx.LARGEST if kind in ZIPPED else LARGEST


def _drawn(kind: str, dice: random.Random) -> Mutation:
    knowing = dice.random() < KNOWING_SHARES.get(kind, KNOWING_SHARE)
    return dice.choice(OF_FORMAT[kind] if knowing else mutate_bytes.MUTATIONS)


def _other(original: Original, dice: random.Random) -> Original:
    """A file to take parts from; of the same format as often as not."""
    chosen = originals()
    alike = [each for each in chosen if each.format == original.format]
    return dice.choice(alike if dice.random() < 0.5 else chosen)
