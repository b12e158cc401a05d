"""Examples of questions, their answers, and what retrieval finds."""

import json
from typing import Any

from flotilla.gateway.examples.subjects import (
    ANSWER_EVENT,
    CHUNK,
    DOCUMENT,
    FILE,
    HEADINGS,
    METADATA,
    QUESTION,
    QUESTION_TASK,
    QUOTE,
    STANDS,
    START,
    TEXT,
    VERSION,
)

CITATION = {
    "number": 1,
    "document_id": DOCUMENT,
    "document_name": FILE,
    "chunk_id": CHUNK,
    **STANDS,
    "quote": QUOTE,
    "start": START + TEXT.index(QUOTE),
    "end": START + len(TEXT),
}
PASSAGE = {
    "chunk_id": CHUNK,
    "document_id": DOCUMENT,
    "document_name": FILE,
    "version_id": VERSION,
    "collection": "default",
    "position": 6,
    "text": TEXT,
    "start": START,
    "end": START + len(TEXT),
    **STANDS,
    "metadata": METADATA,
    "score": 0.92,
}
_part = {
    "chunk_id": CHUNK,
    "start": START,
    "end": START + len(TEXT),
    **STANDS,
}
_retrieval = {"fusion": "linear", "dense_weight": 0.6, "bm25_weight": 0.4, "prefetch": 100}
_steps = {
    "search": "hybrid",
    "fusion": "linear",
    "dense_weight": 0.6,
    "bm25_weight": 0.4,
    "rrf_k": 60,
    "prefetch": 100,
    "expand_tokens": 0,
    "documents": 0,
    "mmr": 0.0,
    "queries": 0,
    "rerank": "none",
    "rerank_depth": 20,
}
_question = {
    "question": QUESTION,
    "collection": "default",
    "top_k": 5,
    "retrieval": {"fusion": "linear"},
}
_call = {
    "role": "answer",
    "model": "openai:gpt-4o-mini",
    "prompt": "answer.v2",
    "attempts": 1,
    "took": 812.4,
    "prompt_tokens": 914,
    "completion_tokens": 41,
    "cost": 0.00016,
}
_step = {
    "name": "generate",
    "started": 12.1,
    "took": 820.7,
    "saw": {"passages": 5, "answerable": True, "citations": 1, "model": "openai:gpt-4o-mini"},
    "calls": [_call],
}
_usage = {"calls": 1, "prompt_tokens": 914, "completion_tokens": 41, "cost": 0.00016}
EXTRACTIVE_TRACE = [
    {"name": "retrieve", "started": 0.4, "took": 11.4, "saw": {"found": 5, "new": 5}},
    {"name": "generate", "started": 12.1, "took": 6.2, "saw": {"passages": 5, "citations": 1}},
]
_token = {"text": "Test drives are open ", "start": 0}
ANSWER_EVENTS = f"id: {ANSWER_EVENT}\nevent: token\ndata: {json.dumps(_token)}\n\n"
CACHED = {"answer": "miss", "semantic": "miss", "retrieval": "miss", "embedding": "miss"}

SCHEMAS: dict[str, Any] = {
    "AnswerToken": _token,
    "ModelCall": _call,
    "Step": _step,
    "Usage": _usage,
    "Unsupported": {"start": 112, "end": 163, "reason": "No passage is cited for it."},
    "Cached": {
        "answer": "miss",
        "semantic": "hit",
        "embedding": "hit",
        "age": 42.0,
        "question": QUESTION,
        "cosine": 0.9712,
    },
    "Citation": CITATION,
    "Part": _part,
    "Passage": PASSAGE,
    "AnswerResponse": {
        "task_id": QUESTION_TASK,
        "question": QUESTION,
        "text": "Test drives are open to drivers who are at least 23 years old and have held a "
        "full licence for two years or longer. [1]",
        "answerable": True,
        "citations": [CITATION],
        "passages": [PASSAGE],
        "model": "extractive",
        "mode": "simple",
        "trace": EXTRACTIVE_TRACE,
        "timings": {"retrieve": 11.4, "generate": 6.2},
        "cached": CACHED,
    },
    "SearchResponse": {
        "task_id": QUESTION_TASK,
        "question": QUESTION,
        "passages": [PASSAGE],
        "retrieval": _steps,
        "timings": {"retrieve": 11.4, "embed": 4.2, "search": 5.9},
        "cached": {"retrieval": "miss", "embedding": "hit"},
    },
    "QuestionRequest": _question,
    "RetrievalRequest": _retrieval,
    "RetrievalSteps": _steps,
    "GenerateQuestionsRequest": {"topic": "test drives", "count": 1, "mode": "practice"},
    "GenerateQuestionsResponse": {
        "response": "Practice questions on test drives: 1 question\n"
        "No language model was used: these are sentences of the documents, each with a gap.\n\n"
        "1. Test drives are open to drivers who are at least _____ years old and have held a full "
        "licence for two years or longer.\n   Answer: 23\n"
        f"   Source: {FILE}, page 3, {HEADINGS[1]}",
        "timestamp": "2026-11-20T09:30:02+00:00",
    },
}
