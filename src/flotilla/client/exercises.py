"""Questions made from documents, for practice and for quizzes."""

from collections.abc import Sequence
from typing import Any, cast

from flotilla.client.operation import Operation, post
from flotilla.client.operations import SYNC_TIMEOUT
from flotilla.schemas import GenerateQuestionsRequest, GenerateQuestionsResponse


def generate_questions(
    topic: str | None = None,
    *,
    count: int | None = None,
    mode: str | None = None,
    collections: Sequence[str] | None = None,
    timeout: float | None = None,
) -> Operation[GenerateQuestionsResponse]:
    """Questions made from documents, as a text: 25 for practice unless told otherwise.

    `mode` is `practice` or `quiz`; `timeout` is as in `ask`.
    """
    body = GenerateQuestionsRequest.model_construct(
        topic=topic,
        count=count,
        mode=cast(Any, mode),
        collection=None,
        collections=list(collections) if collections else None,
    )
    return post(
        "/api/chat/generate-questions",
        body,
        GenerateQuestionsResponse,
        params={"timeout": timeout},
        patience=timeout if timeout is not None else SYNC_TIMEOUT,
    )
