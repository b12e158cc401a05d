"""What other clients do in the middle of a row: none of them comes to nothing in silence."""

import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flotilla.client.errors import ClientError
from flotilla.schemas import DocumentAccepted, DocumentsAccepted
from tests.chaos import interventions, withdrawals
from tests.chaos.clients import Client, Scene
from tests.chaos.documents import Planned
from tests.chaos.expected import Fate
from tests.chaos.interventions import Interventions, judge
from tests.chaos.ledger import JobState
from tests.chaos.submission import persevere
from tests.chaos.verdict import Verdict
from tests.chaos.verifier import Verifier
from tests.chaos.withdrawals import DeletionOfReady

DOOMED = Planned(10_009, Path("paper-10009.html"), ("one two three four", "five six seven eight"))


class Deed(Client):
    """Does what a test says."""

    title = "the deed"

    def __init__(self, scene: Scene, deed: Callable[[], Any], check: Callable[[], Any]) -> None:
        super().__init__(scene)
        self._deed, self._check = deed, check

    def act(self) -> None:
        self._deed()

    def judge(self, verdict: Verdict, verifier: Verifier) -> None:
        self._check()


def nothing() -> None:
    """All is well."""


def wrong() -> None:
    """What nobody has thought of."""
    raise KeyError("status")


@pytest.fixture
def scene() -> Scene:
    """A stack whose ledger says that all is over, and whose gateway takes everything."""
    reply = DocumentAccepted(document_id="d", task_id="t", name=DOOMED.name)
    client = SimpleNamespace(
        upload_batch=lambda *_, **__: DocumentsAccepted(documents=[reply]),
        delete_document=lambda _: None,
    )
    over = JobState("t", "ingest", "completed", "s", 1, None, None, None, None, "d")
    ledger = SimpleNamespace(
        job=lambda _: over, versions=lambda _: ["v"], rows=lambda *_, **__: [("deletion",)]
    )
    stack: Any = SimpleNamespace(ledger=ledger)
    return Scene(stack, client, "chaos-rag", random.Random(1))  # type: ignore[arg-type]


def judged(client: Client) -> Verdict:
    verdict = Verdict("rag", 1)
    judge([client], verdict, None)  # type: ignore[arg-type]
    return verdict


def test_a_client_that_has_done_its_part_is_all_right(scene: Scene) -> None:
    deed = Deed(scene, nothing, nothing)
    deed.run()
    verdict = judged(deed)
    assert [*verdict.lost, *verdict.broken] == []


def test_a_client_that_dies_of_whatever_is_told(scene: Scene) -> None:
    deed = Deed(scene, wrong, nothing)
    deed.run()
    assert "KeyError" in judged(deed).lost[0]


def test_a_client_that_never_ends_is_told(scene: Scene) -> None:
    assert judged(Deed(scene, nothing, nothing)).lost


def test_what_cannot_be_judged_is_told(scene: Scene) -> None:
    deed = Deed(scene, nothing, wrong)
    deed.run()
    assert "KeyError" in judged(deed).broken[0]


def test_there_are_five_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interventions, "Flotilla", lambda *_, **__: SimpleNamespace())
    stack: Any = SimpleNamespace(url="http://nowhere")
    others = Interventions(stack, "chaos-rag", tmp_path / "others", 1, random.Random(1))
    assert len({type(client) for client in others._clients}) == 5
    verdict = Verdict("rag", 1)
    others.judge(verdict, None)  # type: ignore[arg-type]
    assert len(verdict.lost) == 5


class Searches:
    """A search that finds this much, time after time."""

    def __init__(self, *found: list[str] | Exception) -> None:
        self._found = list(found)

    def search(self, *_: object) -> list[dict[str, str]]:
        found = self._found.pop(0)
        if isinstance(found, Exception):
            raise found
        return [{"chunk_id": each} for each in found]


def deleting(scene: Scene, monkeypatch: pytest.MonkeyPatch, *found: Any) -> DeletionOfReady:
    monkeypatch.setattr(withdrawals, "Verifier", lambda *_: Searches(*found))
    deletion = DeletionOfReady(scene, DOOMED)
    deletion.run()
    return deletion


def test_a_document_that_answers_is_deleted_and_answers_no_more(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    deletion = deleting(scene, monkeypatch, ["c"], [])
    assert not deletion.trouble
    assert deletion.expected()[DOOMED.name].fate is Fate.DELETED
    assert scene.tasks == ["deletion"]


@pytest.mark.parametrize(
    "found",
    [
        [["c"], ["c"]],  # it is found afterwards
        [[]],  # it was not found before
        [["c"], ClientError("no answer")],  # nobody knows
    ],
)
def test_anything_else_is_trouble(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, found: list[Any]
) -> None:
    assert deleting(scene, monkeypatch, *found).trouble


def test_a_request_that_is_sent_once_more_is_counted() -> None:
    answers: list[Any] = [ClientError("cut"), ClientError("cut"), "taken"]

    def call() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    cut: list[str] = []
    assert persevere(call, cut=cut) == "taken"
    assert len(cut) == 2
