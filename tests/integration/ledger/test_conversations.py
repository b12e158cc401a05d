"""Conversations and their turns in the ledger: whose they are, their order, and their end."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from flotilla.errors import Cancelled, ConversationNotFound, InvalidRequest, SweepRefused
from flotilla.ledger import conversations, forgetting, job_ends, jobs, turns
from flotilla.ledger.collections import DEFAULT_TENANT
from flotilla.ledger.database import Database, new_id
from flotilla.ledger.tables import CONVERSATIONS, JOBS, MESSAGES
from flotilla.ledger.turns import NewTurn
from flotilla.schemas import Conversation, TaskStatus
from tests.integration.ledger.operations import ERROR, add, new_job

ANNE, BEN = "anne", "ben"
SPACE, OTHER_SPACE = "space-1", "space-2"
FOREIGN = "01890000-0000-7000-8000-000000000000"  # made before this ledger
AT_ONCE = timedelta(0)


def begin(ledger: Database, user: str = ANNE, question: str = "How long is the warranty?") -> str:
    with ledger.writing() as connection:
        return conversations.create(connection, DEFAULT_TENANT, user, question)


def new_turn(conversation_id: str, task_id: str, question: str = "And on a new one?") -> NewTurn:
    return NewTurn(
        conversation_id=conversation_id,
        task_id=task_id,
        question=question,
        standalone=f"{question} (warranty)",
        question_tokens=5,
        answer="Five years. [1]",
        citations=[],
        answerable=True,
        model="extractive",
        answer_tokens=4,
    )


def say(ledger: Database, conversation_id: str, question: str = "And on a new one?") -> str:
    with ledger.writing() as connection:
        return turns.append(connection, new_turn(conversation_id, question[:36], question))


def end(ledger: Database, job_id: str, conversation_id: str) -> bool:
    """End a job with its turn, as a worker does."""
    with ledger.writing() as connection:
        ended = job_ends.complete(connection, job_id, {})
        if ended is not None:
            turns.append(connection, new_turn(conversation_id, job_id))
    return ended is not None


def listed(ledger: Database, user: str = ANNE, **part: object) -> list[Conversation]:
    given = {"before": None, "limit": 10} | part
    with ledger.reading() as connection:
        return conversations.listing(connection, DEFAULT_TENANT, user, **given)  # type: ignore[arg-type]


def delete(ledger: Database, conversation_id: str, user: str = ANNE) -> None:
    with ledger.writing() as connection:
        conversations.mark_deleted(connection, DEFAULT_TENANT, user, conversation_id)


def test_a_turn_is_two_messages_in_their_order(ledger: Database) -> None:
    conversation_id = begin(ledger)

    say(ledger, conversation_id, "one")
    say(ledger, conversation_id, "two")

    with ledger.reading() as connection:
        found = conversations.read(connection, conversation_id, after=0, limit=10)
        rest = conversations.read(connection, conversation_id, after=3, limit=10)
        shown = conversations.view(connection, DEFAULT_TENANT, ANNE, conversation_id)
        latest = turns.latest(connection, DEFAULT_TENANT, ANNE, conversation_id, limit=1)
    assert [(m.number, m.role) for m in found] == [
        (1, "user"),
        (2, "assistant"),
        (3, "user"),
        (4, "assistant"),
    ]
    assert [m.text for m in found if m.role == "user"] == ["one", "two"]
    assert found[0].standalone_question == "one (warranty)"
    assert [m.number for m in rest] == [4]
    assert shown.message_count == 4
    assert latest is not None
    assert [(turn.number, turn.question, turn.tokens) for turn in latest] == [(2, "two", 9)]


def test_nobody_else_finds_a_conversation(ledger: Database) -> None:
    conversation_id = begin(ledger)
    turn_id = say(ledger, conversation_id)

    for call in (
        lambda c: conversations.view(c, DEFAULT_TENANT, BEN, conversation_id),
        lambda c: conversations.view(c, "another-tenant", ANNE, conversation_id),
        lambda c: conversations.hold(c, DEFAULT_TENANT, BEN, conversation_id),
        lambda c: conversations.rename(c, DEFAULT_TENANT, BEN, conversation_id, "mine"),
        lambda c: conversations.mark_deleted(c, DEFAULT_TENANT, BEN, conversation_id),
    ):
        with pytest.raises(ConversationNotFound), ledger.writing() as connection:
            call(connection)
    with ledger.reading() as connection:
        assert turns.latest(connection, DEFAULT_TENANT, BEN, conversation_id, 9) is None
        assert turns.of_ids(connection, DEFAULT_TENANT, BEN, [turn_id]) == {}
        assert turn_id in turns.of_ids(connection, DEFAULT_TENANT, ANNE, [turn_id])
    assert listed(ledger, BEN) == []


def test_the_list_goes_on_where_its_part_ended(ledger: Database) -> None:
    first, second, third = (begin(ledger, question=name) for name in ("a", "b", "c"))
    for conversation_id in (second, third, first):
        say(ledger, conversation_id, conversation_id)

    part = listed(ledger, limit=2)
    rest = listed(ledger, before=conversations.place(part[-1]))

    assert [c.conversation_id for c in part] == [first, third]
    assert [c.conversation_id for c in rest] == [second]
    with pytest.raises(InvalidRequest):
        listed(ledger, before="nonsense")


@pytest.mark.parametrize("cancelled", [True, False], ids=["cancelled", "failed"])
def test_a_conversation_whose_first_question_was_not_answered_is_not_listed(
    ledger: Database, *, cancelled: bool
) -> None:
    conversation_id = begin(ledger)
    (job_id,) = add(ledger, new_job(conversation_id=conversation_id))
    assert [c.conversation_id for c in listed(ledger)] == [conversation_id]  # it may be yet

    with ledger.writing() as connection:
        if cancelled:
            job_ends.cancel(connection, job_id)
        else:
            job_ends.fail(connection, job_id, ERROR)

    assert listed(ledger) == []
    with ledger.reading() as connection:
        shown = conversations.view(connection, DEFAULT_TENANT, ANNE, conversation_id)
    assert shown.message_count == 0
    say(ledger, conversation_id)
    assert [c.conversation_id for c in listed(ledger)] == [conversation_id]


def test_a_title_is_one_line_of_the_first_question_and_can_be_changed(ledger: Database) -> None:
    conversation_id = begin(ledger, question="How long\nis " + "very " * 40 + "long?")
    say(ledger, conversation_id)

    (shown,) = listed(ledger)
    with ledger.writing() as connection:
        renamed = conversations.rename(
            connection, DEFAULT_TENANT, ANNE, conversation_id, "Warranties"
        )

    assert shown.title.startswith("How long is very")
    assert shown.title.endswith("very…")
    assert len(shown.title) <= conversations.LONGEST_TITLE
    assert renamed.title == "Warranties"
    assert renamed.updated_at == shown.updated_at


def test_a_turn_is_written_once_with_the_end_of_its_job(ledger: Database) -> None:
    conversation_id = begin(ledger)
    (job_id,) = add(ledger, new_job(conversation_id=conversation_id))

    assert [end(ledger, job_id, conversation_id) for _ in range(2)] == [True, False]
    assert listed(ledger)[0].message_count == 2


def test_a_deleted_conversation_is_not_brought_back_by_its_turn(ledger: Database) -> None:
    conversation_id = begin(ledger)
    (job_id,) = add(ledger, new_job(conversation_id=conversation_id))
    delete(ledger, conversation_id)

    with pytest.raises(Cancelled):
        end(ledger, job_id, conversation_id)

    with ledger.reading() as connection:
        job = jobs.get(connection, job_id)
        assert connection.scalar(select(func.count()).select_from(MESSAGES)) == 0
    assert job is not None
    assert job.status is TaskStatus.PENDING  # the end was taken back with the turn
    assert listed(ledger) == []


def test_forgetting_leaves_no_row_of_a_conversation_and_all_of_the_others(
    ledger: Database,
) -> None:
    gone, kept = begin(ledger), begin(ledger, BEN)
    ended_job, open_job = add(ledger, new_job(conversation_id=gone), new_job(conversation_id=gone))
    (kept_job,) = add(ledger, new_job(conversation_id=kept))
    with ledger.writing() as connection:
        job_ends.complete(connection, ended_job, {"text": "secret"})
        turns.append(connection, new_turn(gone, ended_job))
    say(ledger, kept)

    with ledger.writing() as connection:
        assert forgetting.purge(connection, [gone]) == 0  # it is not deleted yet
    delete(ledger, gone)
    with ledger.writing() as connection:
        cancelled = forgetting.cancel_turns(connection, gone)
    with ledger.writing() as connection:
        assert forgetting.purge(connection, [gone]) == 2

    assert [task.task_id for task in cancelled] == [open_job]
    with ledger.reading() as connection:
        assert list(connection.scalars(select(CONVERSATIONS.c.id))) == [kept]
        assert set(connection.scalars(select(MESSAGES.c.conversation_id))) == {kept}
        assert list(connection.scalars(select(JOBS.c.id))) == [kept_job]


def test_what_no_job_is_about_to_forget_is_left_over(
    ledger: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "GRACE", AT_ONCE)
    leaving, left, there = (begin(ledger) for _ in range(3))
    delete(ledger, left)
    with ledger.writing() as connection:
        conversations.mark_deleted(connection, DEFAULT_TENANT, ANNE, leaving)
        forgetting.add(connection, DEFAULT_TENANT, leaving)

    with ledger.reading() as connection:
        assert forgetting.leftovers(connection) == [left]
        found = [leaving, left, there, new_id(), FOREIGN]
        assert forgetting.Judge().orphaned(connection, found) == {leaving, left, found[3]}


def test_a_ledger_that_knows_next_to_none_of_the_turns_is_another_one(ledger: Database) -> None:
    with pytest.raises(SweepRefused), ledger.reading() as connection:
        forgetting.Judge().orphaned(connection, [new_id() for _ in range(21)])


def test_turns_that_no_space_or_another_one_remembers_are_found(ledger: Database) -> None:
    conversation_id = begin(ledger)
    lost, old, fine = (say(ledger, conversation_id, name) for name in ("lost", "old", "fine"))

    with ledger.writing() as connection:
        turns.mark_remembered(connection, [old], OTHER_SPACE)
        turns.mark_remembered(connection, [fine], SPACE)

    def missing(older_than: timedelta = AT_ONCE) -> list[str]:
        with ledger.reading() as connection:
            found = turns.unremembered(connection, SPACE, older_than=older_than, limit=10)
        assert all(each.user_id == ANNE for each in found)
        return [each.turn.id for each in found]

    assert missing() == [lost, old]
    assert missing(timedelta(hours=1)) == []
    delete(ledger, conversation_id)
    assert missing() == []
    with ledger.writing() as connection:
        assert turns.mark_remembered(connection, [lost], SPACE) == set()


def test_turns_that_end_at_once_get_numbers_of_their_own(ledger: Database) -> None:
    conversation_id = begin(ledger)
    gate = threading.Barrier(8)

    def end(number: int) -> None:
        gate.wait(30)
        say(ledger, conversation_id, f"question {number}")

    threads = [threading.Thread(target=end, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    with ledger.reading() as connection:
        found = conversations.read(connection, conversation_id, after=0, limit=100)
    assert [message.number for message in found] == list(range(1, 17))
    assert len({message.task_id for message in found}) == 8
    for question, answer in zip(found[::2], found[1::2], strict=True):
        assert (question.role, answer.role) == ("user", "assistant")
        assert question.task_id == answer.task_id


def test_a_job_that_is_added_meanwhile_is_seen_by_who_deletes(ledger: Database) -> None:
    """Nobody adds a job to a conversation behind the back of who deletes it."""
    conversation_id = begin(ledger)
    held, deleted = threading.Event(), threading.Event()
    seen: list[list[str]] = []

    def remove() -> None:
        held.wait(30)
        delete(ledger, conversation_id)
        deleted.set()
        with ledger.writing() as connection:
            cancelled = forgetting.cancel_turns(connection, conversation_id)
        seen.append([task.task_id for task in cancelled])

    thread = threading.Thread(target=remove)
    thread.start()
    job = new_job(conversation_id=conversation_id)
    with ledger.writing() as connection:
        conversations.hold(connection, DEFAULT_TENANT, ANNE, conversation_id)
        held.set()
        assert not deleted.wait(0.2)  # it waits for this transaction
        jobs.add(connection, [job])
    thread.join(60)

    assert seen == [[job.id]]
    with pytest.raises(ConversationNotFound), ledger.writing() as connection:
        conversations.hold(connection, DEFAULT_TENANT, ANNE, conversation_id)
