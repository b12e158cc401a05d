"""Turns of conversations as points: whose they are, what is recalled, and that nothing is left."""

from datetime import timedelta

import pytest
from qdrant_client import QdrantClient
from sqlalchemy import func, select

from flotilla.errors import DependencyUnavailable
from flotilla.ledger import conversations, forgetting, job_views, turns
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database
from flotilla.ledger.tables import JOBS, MESSAGES
from flotilla.ledger.turns import NewTurn
from flotilla.models import Turn
from flotilla.rag.memory import Memory
from flotilla.settings import RagSettings, RetrievalSettings
from flotilla.vectorstore import forgetting as forget_task
from flotilla.vectorstore.bm25 import Bm25Encoder
from flotilla.vectorstore.forgetting import TurnSweep
from flotilla.vectorstore.hybrid_collection import Fusion
from flotilla.vectorstore.turn_points import TurnPoint
from tests.doubles.ledger_rows import aged_id
from tests.integration.vectorstore.small_models import (
    Process,
    begin_filling,
    passages,
    switch,
)

ANNE, BEN = "anne", "ben"
AT_ONCE = timedelta(0)


@pytest.fixture
def memory(ledger: Database, process: Process, bm25: Bm25Encoder) -> Memory:
    """Of a fleet whose model tells texts apart by their words alone."""
    return Memory(
        lambda: ledger,
        lambda: process.spaces.readable(fresh=True),
        bm25,
        RagSettings(recall_similarity=0.999),
        RetrievalSettings(),
    )


@pytest.fixture(autouse=True)
def _forgets_here(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forget_task, "get_spaces", lambda: process.spaces)
    monkeypatch.setattr(forget_task, "announce", lambda _task: None)


def say(
    ledger: Database, question: str, user: str = ANNE, conversation_id: str | None = None
) -> tuple[str, str]:
    """A turn in the ledger: its conversation's id and its own."""
    with ledger.writing() as connection:
        if conversation_id is None:
            conversation_id = conversations.create(connection, DEFAULT_TENANT, user, question)
        turn_id = turns.append(
            connection,
            NewTurn(
                conversation_id=conversation_id,
                task_id=f"{question[:34]}",
                question=question,
                standalone=question,
                question_tokens=1,
                answer=f"{question} Five years. [1]",
                citations=[],
                answerable=True,
                model="extractive",
                answer_tokens=1,
            ),
        )
    return conversation_id, turn_id


def recalled(
    memory: Memory, question: str, user: str = ANNE, without: tuple[Turn, ...] = ()
) -> list[str]:
    return [turn.question for turn in memory.recall(DEFAULT_TENANT, user, question, 5, without)]


def points(process: Process) -> int:
    return sum(space.turns.total() for space in process.spaces.writable(fresh=True))


def test_a_turn_is_recalled_by_its_words_and_by_its_own_user_alone(
    ledger: Database, process: Process, memory: Memory
) -> None:
    for user, question in (
        (ANNE, "Warranty on motorcycles?"),
        (BEN, "Warranty on tractors?"),
        (ANNE, "Delivery to Norwich?"),
    ):
        memory.remember(say(ledger, question, user)[1])

    assert recalled(memory, "warranty") == ["Warranty on motorcycles?"]
    assert recalled(memory, "warranty", BEN) == ["Warranty on tractors?"]
    assert memory.recall("another-tenant", ANNE, "warranty", 5) == []
    assert memory.recall(DEFAULT_TENANT, ANNE, "warranty", 0) == []


def test_the_search_itself_keeps_to_tenant_and_user(
    ledger: Database, process: Process, memory: Memory, bm25: Bm25Encoder
) -> None:
    """Others' turns would otherwise crowd out one's own, before the ledger sorts them out."""
    own = {user: say(ledger, f"Warranty on {user}'s car?", user)[1] for user in (ANNE, BEN)}
    for turn_id in own.values():
        memory.remember(turn_id)
    space = process.spaces.readable()

    def near(tenant: str, user: str) -> list[str]:
        dense, sparse = space.embedder.embed_query("car"), bm25.encode_query("car")
        fusion = Fusion(prefetch=10, k=60, dense_weight=0.7, bm25_weight=0.3)
        found = space.turns.nearest(tenant, user, dense, sparse, fusion, 10)
        return [turn.id for turn in found]

    assert near(DEFAULT_TENANT, ANNE) == [own[ANNE]]
    assert near(DEFAULT_TENANT, BEN) == [own[BEN]]
    assert near("another-tenant", ANNE) == []


def test_turns_that_are_at_hand_are_not_recalled(
    ledger: Database, process: Process, memory: Memory
) -> None:
    conversation_id, first = say(ledger, "Warranty on vans?")
    _, second = say(ledger, "Warranty on cars?", conversation_id=conversation_id)
    for turn_id in (first, second):
        memory.remember(turn_id)
    with ledger.reading() as connection:
        at_hand = turns.latest(connection, DEFAULT_TENANT, ANNE, conversation_id, 1)

    assert recalled(memory, "warranty", without=tuple(at_hand or ())) == ["Warranty on vans?"]


def test_no_search_for_passages_finds_a_turn(
    ledger: Database, process: Process, memory: Memory, client: QdrantClient
) -> None:
    memory.remember(say(ledger, "Warranty on motorcycles?")[1])
    space = process.spaces.readable()
    space.points.ensure()

    assert space.turns.total() == 1
    assert space.points.total() == 0
    assert passages(process, "Warranty on motorcycles?") == []


def test_a_deleted_conversation_is_recalled_no_more_though_its_points_are_there(
    ledger: Database, process: Process, memory: Memory
) -> None:
    conversation_id, turn_id = say(ledger, "Warranty on motorcycles?")
    memory.remember(turn_id)

    with ledger.writing() as connection:
        conversations.mark_deleted(connection, DEFAULT_TENANT, ANNE, conversation_id)

    assert points(process) == 1
    assert recalled(memory, "warranty") == []


def test_a_late_worker_takes_its_point_back(
    ledger: Database, process: Process, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation_id, turn_id = say(ledger, "Warranty on motorcycles?")
    space = process.spaces.readable()
    write = space.turns.upsert

    def deleted_meanwhile(*args: object) -> None:
        write(*args)  # type: ignore[arg-type]
        assert space.turns.total() == 1
        with ledger.writing() as connection:
            conversations.mark_deleted(connection, DEFAULT_TENANT, ANNE, conversation_id)

    monkeypatch.setattr(space.turns, "upsert", deleted_meanwhile)
    monkeypatch.setattr(memory, "_space", lambda: space)
    memory.remember(turn_id)

    assert points(process) == 0


def test_a_point_that_got_lost_is_made_up_for(
    ledger: Database, process: Process, memory: Memory
) -> None:
    say(ledger, "Warranty on motorcycles?")

    assert memory.remember_lost(lambda: None, older_than=timedelta(hours=1)) == 0
    assert memory.remember_lost(lambda: None, older_than=AT_ONCE) == 1
    assert memory.remember_lost(lambda: None, older_than=AT_ONCE) == 0
    assert recalled(memory, "warranty") == ["Warranty on motorcycles?"]


def test_another_model_is_given_the_turns_that_the_one_before_had(
    ledger: Database, process: Process, memory: Memory
) -> None:
    memory.remember(say(ledger, "Warranty on motorcycles?")[1])
    switch(ledger, begin_filling(ledger))
    assert recalled(memory, "warranty") == []

    assert memory.remember_lost(lambda: None, older_than=AT_ONCE) == 1

    assert recalled(memory, "warranty") == ["Warranty on motorcycles?"]
    assert points(process) == 2


def test_a_machine_without_the_active_model_leaves_what_is_lost_to_others(
    ledger: Database, process: Process, memory: Memory
) -> None:
    say(ledger, "Warranty on motorcycles?")
    switch(ledger, begin_filling(ledger))
    process.models.discard("fastembed:second")
    process.spaces.load()

    assert memory.remember_lost(lambda: None, older_than=AT_ONCE) == 0


def test_a_dropped_space_takes_its_turns_along(
    ledger: Database, process: Process, memory: Memory
) -> None:
    memory.remember(say(ledger, "Warranty on motorcycles?")[1])
    space = process.spaces.readable()

    process.spaces.delete(space.row)

    assert space.turns.total() == 0


def test_forgetting_leaves_nothing_of_a_conversation_and_all_of_the_others(
    ledger: Database, process: Process, memory: Memory
) -> None:
    gone, turn_id = say(ledger, "Warranty on motorcycles?")
    _, kept = say(ledger, "Warranty on vans?")
    for each in (turn_id, kept):
        memory.remember(each)
    with ledger.writing() as connection:
        conversations.mark_deleted(connection, DEFAULT_TENANT, ANNE, gone)
        job_id = forgetting.add(connection, DEFAULT_TENANT, gone)

    for _ in range(2):
        forget_task.forget.apply([job_id])

    with ledger.reading() as connection:
        task = job_views.view(connection, DEFAULT_TENANT, job_id)
        assert connection.scalar(select(func.count()).select_from(MESSAGES)) == 2
        assert list(connection.scalars(select(JOBS.c.id))) == [job_id]
    assert task is not None
    assert task.result == {"conversation_id": gone, "messages": 2, "points": 1}
    assert points(process) == 1
    assert recalled(memory, "warranty") == ["Warranty on vans?"]


def sweep(ledger: Database, process: Process, *, dry_run: bool = False) -> tuple[int, int, int]:
    spaces = process.spaces.writable(fresh=True)
    found = TurnSweep(ledger, spaces, lambda: None, dry_run=dry_run).sweep()
    return found.looked_at, found.orphaned, found.deleted_conversations


def test_a_sweep_removes_what_deletions_have_left(
    ledger: Database,
    process: Process,
    memory: Memory,
    bm25: Bm25Encoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forgetting, "GRACE", AT_ONCE)
    gone, turn_id = say(ledger, "Warranty on motorcycles?")
    _, kept = say(ledger, "Warranty on vans?")
    for each in (turn_id, kept):
        memory.remember(each)
    with ledger.writing() as connection:
        conversations.mark_deleted(connection, DEFAULT_TENANT, ANNE, gone)
    stray = TurnPoint(aged_id(), DEFAULT_TENANT, ANNE, aged_id())
    space = process.spaces.readable()
    space.turns.upsert(
        [stray], space.embedder.embed_passages(["x"]), bm25.encode_passages(["stray"])
    )

    assert sweep(ledger, process, dry_run=True) == (3, 2, 1)
    assert points(process) == 3
    assert sweep(ledger, process) == (3, 2, 1)
    assert sweep(ledger, process) == (1, 0, 0)
    assert recalled(memory, "warranty") == ["Warranty on vans?"]


def test_a_node_that_is_away_is_an_outage(
    ledger: Database, memory: Memory, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, turn_id = say(ledger, "Warranty on motorcycles?")
    space = process.spaces.readable()

    def away(*_: object, **__: object) -> None:
        raise DependencyUnavailable("Qdrant could not be reached.")

    monkeypatch.setattr(space.turns, "upsert", away)
    monkeypatch.setattr(memory, "_space", lambda: space)
    with pytest.raises(DependencyUnavailable):
        memory.remember(turn_id)
    monkeypatch.undo()

    assert memory.remember_lost(lambda: None, older_than=AT_ONCE) == 1
