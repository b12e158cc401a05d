"""The short form of the kill matrix: one of its rows, thoroughly four, on one stack."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flotilla.settings import Settings
from tests.chaos.matrix import LONGER, ROWS, SHORT
from tests.chaos.run import disturb
from tests.chaos.stack import Stack, running_stack
from tests.doubles import shallow_model

DOCUMENTS, MORE_DOCUMENTS = 20, 30
"""The fewer are enough for a document of each kind, and one that is submitted twice, replaced,
fetched, moved, deleted and cancelled."""

SEED = 1

PATIENCE = 60.0
"""Seconds without any change after which an open job counts as lost: several leases."""


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory, thorough: bool) -> Iterator[Stack]:
    """A stack with two workers of each fleet, of which nobody else expects anything.

    What is counted does not hang on how near two texts are: unless the row has to meet workers
    while they embed, a part of the model does.
    """
    variables = isolated()
    if not thorough:
        models = tmp_path_factory.mktemp("models")
        shallow_model.lay(Settings().embedding_model_folder, models)
        variables["FLOTILLA_EMBEDDING_MODELS_DIR"] = str(models)
    with running_stack(tmp_path_factory.mktemp("victim"), **variables) as stack:
        yield stack


def isolated() -> dict[str, str]:
    """What keeps the stack from the developer's own servers and language model."""
    foreign = ("REDIS_URL", "QDRANT_URL", "DATABASE_URL", "LLM_MODEL", "FLOTILLA_BLOB_URL")
    return dict.fromkeys(foreign, "") | {"FLOTILLA_ENV_FILE": "/dev/null"}


@pytest.mark.parametrize(
    "name", [SHORT, *(pytest.param(name, marks=pytest.mark.thorough) for name in LONGER)]
)
def test_nothing_is_lost_and_nothing_is_there_twice(
    name: str, victim: Stack, tmp_path: Path, thorough: bool
) -> None:
    verdict = disturb(
        victim,
        ROWS[name],
        MORE_DOCUMENTS if thorough else DOCUMENTS,
        SEED,
        tmp_path,
        say=lambda line: print(line, file=sys.stderr),
        disturbance_seconds=12.0,  # for the first work to come where two stacks share two cores
        patience=PATIENCE,
        allowance=2.0,  # other tests and other people's work run beside it
    )
    assert verdict.broken == []
    assert verdict.lost == []
    assert verdict.duplicates == []
    assert verdict.unexpected == []
    assert verdict.unanswered == []
    assert verdict.completed + verdict.failed == verdict.submitted
