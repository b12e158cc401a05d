"""The name of the collection that a data set is ingested into."""

from pathlib import Path

import pytest

from flotilla.evaluation import collection
from flotilla.evaluation.data_sets import read_data_set
from flotilla.settings import Settings
from tests.doubles.data_sets import lay_beir


@pytest.mark.parametrize("module", collection.OF_TERMS)
def test_other_terms_make_another_collection(
    tmp_path: Path, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, code = read_data_set(lay_beir(tmp_path / "set")), tmp_path / "code"
    code.mkdir()
    for each in collection.OF_TERMS:
        (code / each).write_text("STEMS = 1")
    monkeypatch.setattr(collection, "_folders", lambda _package: [code])

    def name() -> str:
        return collection.collection_name(folder, Settings(), "a/model")

    before = name()
    assert name() == before
    (code / module).write_text("STEMS = 2")
    assert name() != before


def test_the_modules_are_there() -> None:
    [folder] = collection._folders("flotilla.vectorstore")
    assert all((folder / each).is_file() for each in collection.OF_TERMS)
