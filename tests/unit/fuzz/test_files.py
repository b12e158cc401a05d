"""How far the mutated Word documents get."""

import io
import random
import zipfile

from lxml import etree

from tests.fuzz.files import mutated_file
from tests.fuzz.mutate_docx import MAIN, TEXT
from tests.fuzz.mutate_word import change_tree
from tests.fuzz.originals import originals

DOCX = [at for at, original in enumerate(originals()) if original.format == "docx"]
SEED, COUNT = 7, 60


def is_sound(data: bytes) -> bool:
    """Whether a reader of Word documents gets past the archive and the XML of its main parts."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
            for name in set(MAIN) & set(parts):
                etree.fromstring(parts[name], etree.XMLParser(huge_tree=True))
    except Exception:  # noqa: BLE001 - what its readers raise is not the point
        return False
    return TEXT in parts


def test_at_least_a_third_of_the_word_documents_reaches_past_the_parser() -> None:
    numbers = [at + turn * len(originals()) for turn in range(COUNT // 2) for at in DOCX]
    files = [mutated_file(SEED, number) for number in numbers]
    sound = [file for file in files if is_sound(file.data)]
    assert len(sound) > COUNT / 3
    # Nor do they all: what is broken from the outside is tried too.
    assert len(sound) < COUNT * 0.85
    assert len({file.data for file in sound}) > 0.9 * len(sound)


def test_a_changed_tree_is_another_and_well_formed() -> None:
    with zipfile.ZipFile(io.BytesIO(originals()[DOCX[0]].data)) as archive:
        whole = archive.read(TEXT)
    changed = [change_tree(whole, random.Random(seed)) for seed in range(150)]
    for xml in changed:
        etree.fromstring(xml, etree.XMLParser(huge_tree=True))
    assert len(set(changed)) > 120
    assert changed == [change_tree(whole, random.Random(seed)) for seed in range(150)]


def test_what_is_no_xml_is_left_alone() -> None:
    assert change_tree(b"<w:p>&nosuch;", random.Random(1)) == b"<w:p>&nosuch;"
