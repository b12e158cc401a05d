"""Examples of conversations and their turns."""

from typing import Any

from flotilla.gateway.examples.questions import CITATION, EXTRACTIVE_TRACE, PASSAGE
from flotilla.gateway.examples.subjects import (
    BEGAN,
    CONVERSATION,
    ENDED,
    MESSAGE,
    QUESTION,
    QUESTION_TASK,
    QUOTE,
)

_follow_up = "And who may ride along?"
_alone = "And who may ride along? (test drive)"
_context_used = {
    "budget_tokens": 3000,
    "document_share": 0.7,
    "passages": 1,
    "passage_tokens": 38,
    "turns": 0,
    "turn_tokens": 0,
    "recalled": 0,
    "messages": [],
    "rewritten": "It begins as a continuation: 'test drive' is from the question before.",
}
_conversation = {
    "conversation_id": CONVERSATION,
    "user": "default",
    "title": QUESTION,
    "message_count": 2,
    "created_at": BEGAN,
    "updated_at": ENDED,
}
_message = {
    "message_id": MESSAGE,
    "number": 2,
    "role": "assistant",
    "text": f"{' '.join(QUOTE.split())} [1]",
    "citations": [CITATION],
    "answerable": True,
    "model": "extractive",
    "tokens": 31,
    "task_id": QUESTION_TASK,
    "created_at": ENDED,
}

SCHEMAS: dict[str, Any] = {
    "ChatRequest": {"question": _follow_up, "conversation_id": CONVERSATION, "user": "default"},
    "ChatContextUsed": _context_used,
    "ChatResponse": {
        "task_id": QUESTION_TASK,
        "question": _follow_up,
        "text": "Up to three people may ride along. [1]",
        "answerable": True,
        "citations": [CITATION],
        "passages": [PASSAGE],
        "model": "extractive",
        "mode": "simple",
        "trace": EXTRACTIVE_TRACE,
        "timings": {"retrieve": 11.4, "generate": 6.2},
        "conversation_id": CONVERSATION,
        "standalone_question": _alone,
        "chat_context_used": _context_used,
    },
    "Conversation": _conversation,
    "Listing_Conversation_": {"items": [_conversation], "next_cursor": None},
    "Message": _message,
    "ConversationMessages": {**_conversation, "messages": [_message], "next_cursor": None},
    "ConversationPatch": {"title": "Test drives"},
}
