"""A worker of the fleet `rag` that answers from two passages of its own, by the model that the
settings name. What it stands on is the real fleet's but for retrieval: leases, the stream, the
graph, the client of the model.
"""

import sys
from collections.abc import Sequence
from functools import lru_cache

from flotilla import broker, pipelines
from flotilla.broker import at_start
from flotilla.ledger.replies import reply
from flotilla.ledger.reply_runs import ReplyRun
from flotilla.models import Passage, Query, Turn
from flotilla.rag.answering import Answerer, Run, build_models
from flotilla.rag.generate import Draft
from flotilla.rag.refusals import not_found
from flotilla.rag.streamed_runs import listening
from flotilla.settings import get_settings

TEXTS = ("Words are counted from one. Each tenth has a number.", "Numbers stand behind words.")


def passages() -> list[Passage]:
    """What every question finds."""
    return [
        Passage(
            chunk_id=f"chunk-{number}",
            document_id="document-1",
            document_name="words.txt",
            version_id="version-1",
            collection="default",
            position=number,
            text=text,
            start=100 * number,
            end=100 * number + len(text),
            page_start=None,
            page_end=None,
            score=1.0,
        )
        for number, text in enumerate(TEXTS)
    ]


class Speechless:
    """What would answer without a model, and does not."""

    model = "speechless"

    def generate(
        self,
        question: str,
        passages: Sequence[Passage],
        turns: Sequence[Turn] = (),
        *,
        own: str | None = None,
    ) -> Draft:
        return Draft(text=not_found(question), answerable=False, model=self.model)


@lru_cache(maxsize=1)
def answerer() -> Answerer:
    settings = get_settings()
    models = build_models(settings.llm, settings.redis_url)
    return Answerer(lambda _query: passages(), Speechless(), models, settings.rag)


at_start(answerer)


@reply(pipelines.ANSWER)
def answer(run: ReplyRun) -> str:
    query = Query(
        tenant_id=run.job.tenant_id, question=run.job.payload["question"], collection_ids=("-",)
    )
    with listening(run) as listener:
        asking = Run(checkpoint=run.checkpoint, listener=listener, calls=run.calls)
        return answerer().answer(query, asking).model_dump_json()


if __name__ == "__main__":
    # Started as a program this module is `__main__`, and the worker imports it by its name.
    broker.TASK_MODULES["rag"] = "tests.doubles.answering"
    broker.run_worker("rag", sys.argv[1])
