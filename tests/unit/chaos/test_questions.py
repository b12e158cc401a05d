"""An answer has to come from one version of its document."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.documents import Planned, markdown, write_document
from tests.chaos.questions import Question

OLD, NEW = 0, 1


@pytest.fixture
def planned(tmp_path: Path) -> Planned:
    """A document with a later version, which has sentences of its own."""
    later = tmp_path / "later"
    later.mkdir()
    second = write_document(later, markdown, 8, 2)
    return replace(write_document(tmp_path, markdown, 7, 1), successor=second)


def answer(planned: Planned, *versions: int) -> dict[str, Any]:
    """An answer from the first sentences of these versions."""
    assert planned.successor is not None
    texts = [(planned, planned.successor)[version].markers[0] for version in versions]
    passages = [
        {"text": text, "version_id": f"version-{version}"}
        for text, version in zip(texts, versions, strict=True)
    ]
    return {"text": " ".join(texts), "passages": passages}


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize("known", [True, False])
def test_either_version_is_right_until_the_newer_one_is_known(
    planned: Planned, version: int, known: bool
) -> None:
    newest = planned if known else None
    assert Question(planned, 0, newest, answer=answer(planned, version)).fault() is None


def test_the_older_version_is_wrong_once_the_newer_one_is_known(planned: Planned) -> None:
    newest = planned.successor
    assert Question(planned, 0, newest, answer=answer(planned, NEW)).fault() is None
    stale = Question(planned, 0, newest, answer=answer(planned, OLD)).fault()
    assert stale is not None
    assert "replaced" in stale


def test_both_at_once_are_wrong(planned: Planned) -> None:
    both = Question(planned, 0, known=None, answer=answer(planned, OLD, NEW)).fault()
    assert both is not None
    assert "2 versions at once" in both


def test_two_versions_are_wrong_though_the_second_does_not_hold_the_sentence(
    planned: Planned,
) -> None:
    mixed = answer(planned, OLD)
    mixed["passages"].append({"text": "Something else.", "version_id": "version-1"})
    assert Question(planned, 0, known=planned, answer=mixed).fault() is not None


def test_nothing_is_wrong_once_the_document_is_known_to_be_completed(planned: Planned) -> None:
    nothing = {"text": "The documents hold no answer.", "passages": []}
    assert Question(planned, 0, known=planned, answer=nothing).fault() is not None
    assert Question(planned, 0, known=None, answer=nothing).fault() is None


def test_passages_without_the_documents_own_sentence_are_wrong(planned: Planned) -> None:
    half = answer(planned, OLD)
    half["passages"] = [{"text": "Something else.", "version_id": "version-0"}]
    assert Question(planned, 0, known=planned, answer=half).fault() is not None


def test_an_answer_that_is_not_from_the_passages_is_wrong(planned: Planned) -> None:
    stray = answer(planned, OLD) | {"text": "Seven. [1]"}
    assert Question(planned, 0, known=planned, answer=stray).fault() is not None
