from pathlib import Path

import pytest

from flotilla.errors import ConfigurationError
from flotilla.local.stack.options import StackOptions, parse_workers


def test_fleets_that_are_not_named_get_one_worker() -> None:
    assert parse_workers("document=2, rag=4") == {
        "document": 2,
        "vectorstore": 1,
        "rag": 4,
        "default": 1,
    }
    assert set(parse_workers("").values()) == {1}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("documents=2", "did you mean document?"),
        ("gpu=2", "the fleets are document, vectorstore, rag, default"),
        ("rag", "not of the form FLEET=NUMBER"),
        ("rag=", "'' workers"),
        ("rag=0", "from 1 to"),
        ("rag=-1", "'-1' workers"),
        ("rag=1000", "'1000' workers"),
        ("rag=two", "'two' workers"),
        ("document=2,document=3", "named twice"),
    ],
)
def test_a_slip_in_workers_is_told(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match="--workers") as caught:
        parse_workers(text)
    assert told in caught.value.message


@pytest.mark.parametrize("name", ["100%", "my #1", "a ;b", "two\nlines"])
def test_a_folder_that_the_supervisors_configuration_cannot_name_is_refused(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(ConfigurationError, match="data folder"):
        StackOptions(data=tmp_path / name)


def test_the_data_folder_is_the_same_by_every_path(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert StackOptions(data=tmp_path / "link").data == tmp_path / "real"
