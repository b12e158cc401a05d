"""Turns that are asked in the conversations that they belong to."""

from typing import Any

import pytest

from flotilla.errors import DataSetInvalid
from flotilla.evaluation.conversations import Conversations
from flotilla.evaluation.data_sets import CONVERSATION, Question
from flotilla.evaluation.variants import Variant
from flotilla.schemas.conversations import ChatResponse


class Gateway:
    """Keeps what each conversation is asked."""

    def __init__(self) -> None:
        self.conversations: dict[str, list[str]] = {}
        self.users: dict[str, str] = {}
        self.deleted: list[tuple[str, str]] = []

    def chat(self, text: str, *, conversation_id: str | None, user: str, **_: Any) -> ChatResponse:
        conversation_id = conversation_id or f"c{len(self.conversations)}"
        assert self.users.setdefault(conversation_id, user) == user
        self.conversations.setdefault(conversation_id, []).append(text)
        return ChatResponse.model_construct(
            conversation_id=conversation_id,
            standalone_question=f"alone: {text}",
            passages=(),
            timings={"retrieve": 3.0},
        )

    def delete_conversation(self, conversation_id: str, *, user: str) -> None:
        self.deleted.append((conversation_id, user))


def turn(number: int, text: str, *earlier: str) -> Question:
    return Question(f"q{number}", {"text": text, CONVERSATION: text}, turns=earlier)


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def ask(gateway: Gateway) -> Conversations:
    return Conversations(gateway, "harbour", Variant("turns"), 5)  # type: ignore[arg-type]


def test_turns_in_their_order_are_one_conversation(gateway: Gateway, ask: Conversations) -> None:
    first = ask(turn(1, "a"), CONVERSATION)
    ask(turn(2, "b", "a"), CONVERSATION)
    ask(turn(3, "x"), CONVERSATION)
    ask(turn(4, "c", "a", "b"), CONVERSATION)

    assert gateway.conversations == {"c0": ["a", "b", "c"], "c1": ["x"]}
    assert (first.standalone, first.server_ms) == ("alone: a", 3.0)
    assert len(set(gateway.users.values())) == 2  # nobody recalls what another was told


def test_turns_that_were_not_asked_yet_are_asked_first(
    gateway: Gateway, ask: Conversations
) -> None:
    ask(turn(1, "c", "a", "b"), CONVERSATION)
    ask(turn(2, "c", "a", "b"), CONVERSATION)

    assert gateway.conversations == {"c0": ["a", "b", "c"], "c1": ["a", "b", "c"]}


def test_all_are_deleted(gateway: Gateway, ask: Conversations) -> None:
    ask(turn(1, "a"), CONVERSATION)
    ask(turn(2, "x"), CONVERSATION)

    ask.close()

    assert sorted(gateway.deleted) == sorted(gateway.users.items())


def test_a_question_of_whose_turns_nothing_is_known() -> None:
    with pytest.raises(DataSetInvalid, match="no field 'conversation'"):
        Question("q1", {"text": "a"}).form(CONVERSATION)
