from pathlib import Path

import pytest

from flotilla.document.converters.text import TextConverter
from flotilla.errors import InvalidEncoding, NoText


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_text_is_as_written(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("  Ärger ⛵\r\nzwei\n".encode(encoding))
    (page,) = TextConverter().pages(path)
    assert (page.number, page.text) == (None, "  Ärger ⛵\nzwei\n")


def test_another_encoding_names_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("zehn Ä".encode("latin-1"))
    with pytest.raises(InvalidEncoding, match="byte 5"):
        list(TextConverter().pages(path))


def test_white_space_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(" \n\t\n", encoding="utf-8")
    with pytest.raises(NoText):
        list(TextConverter().pages(path))
