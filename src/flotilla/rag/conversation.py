"""A question as a turn of its conversation: what it is read with, and what is left of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flotilla.errors import Cancelled
from flotilla.ledger import turns
from flotilla.ledger.database import Database
from flotilla.ledger.jobs import Job
from flotilla.ledger.reply_runs import ReplyRun
from flotilla.ledger.turns import NewTurn
from flotilla.models import Answer, ChatAnswer, ChatContextUsed, Passage, Turn
from flotilla.rag.context import Context, Count, draw
from flotilla.rag.followups import Standalone, standalone
from flotilla.rag.memory import Memory
from flotilla.rag.small_talk import reply_to
from flotilla.settings import RagSettings

Rewrite = Callable[[Sequence[Turn], str], Standalone]
"""Makes a question stand alone, given the turns before it, the oldest first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a conversation, ready to be answered.

    `history` are the conversation's last turns that had ended when this one began, the oldest
    first; `recalled` are other turns of the same user that bear on it, the best first.
    """

    conversation_id: str
    question: str
    standalone: Standalone
    history: tuple[Turn, ...]
    recalled: tuple[Turn, ...]


class Conversations:
    """The turns of conversations as the fleet answers them. Safe to share between threads.

    Args:
        database: the ledger.
        memory: recalls and remembers.
        count: counts tokens, as the embedding model does.
        settings: the fleet's.
    """

    def __init__(
        self,
        database: Callable[[], Database],
        memory: Memory,
        count: Count,
        settings: RagSettings,
    ) -> None:
        self._database = database
        self._memory = memory
        self._count = count
        self._settings = settings

    def prepare(
        self, job: Job, *, rewrite: Rewrite = standalone, recall: bool = True
    ) -> Asked | None:
        """What the job's question is read with; None where it is of no conversation.

        Of two turns of a conversation that run at once, each sees those that had ended when it
        began.

        Args:
            job: with `conversation_id`, and `user` in its payload.
            rewrite: called where something was asked before, and this is no small talk.
            recall: whether turns are looked for that bear on the question; an answer that quotes
                documents alone has no use for them.

        Raises:
            Cancelled: the conversation was deleted.
            DependencyUnavailable: Qdrant or the ledger is out of reach.
        """
        if job.conversation_id is None:
            return None
        user, question = job.payload["user"], job.payload["question"]
        settings = self._settings
        with self._database().reading() as connection:
            history = turns.latest(
                connection, job.tenant_id, user, job.conversation_id, settings.history_turns
            )
        if history is None:
            raise Cancelled("The conversation was deleted while its question was waiting.")
        if not history:
            alone = Standalone(question, changed=False, why="nothing was asked before")
        elif reply_to(question) is not None:
            alone = Standalone(question, changed=False, why="it asks nothing")
        else:
            alone = rewrite(history, question)
        recalled = (
            self._memory.recall(
                job.tenant_id, user, alone.text, settings.recalled_turns, without=history
            )
            if recall
            else []
        )
        return Asked(job.conversation_id, question, alone, tuple(history), tuple(recalled))

    def context(self, asked: Asked, passages: Sequence[Passage], *, turns: bool = True) -> Context:
        """The passages and earlier turns that the answer is written from, within the budget.

        Without `turns` the documents have all of it: an extractive answer quotes them alone.
        """
        return draw(
            passages,
            asked.history if turns else (),
            self._settings.context_tokens,
            self._settings.document_share,
            count=self._count,
            recalled=asked.recalled if turns else (),
            rewritten=asked.standalone.why if asked.standalone.changed else None,
        )

    def finish(
        self, run: ReplyRun, asked: Asked, answer: Answer, used: ChatContextUsed
    ) -> ChatAnswer:
        """The answer as the chat gives it, which is the job's result.

        Its turn is written in the transaction that ends the job well, and remembered after that.
        """
        values = {name: getattr(answer, name) for name in type(answer).model_fields}
        values["question"] = asked.question
        told = ChatAnswer(
            **values,
            conversation_id=asked.conversation_id,
            standalone_question=asked.standalone.text,
            chat_context_used=used,
        )
        question_tokens, answer_tokens = self._count([asked.standalone.text, answer.text])
        turn = NewTurn(
            conversation_id=asked.conversation_id,
            task_id=run.job.id,
            question=asked.question,
            standalone=asked.standalone.text,
            question_tokens=question_tokens,
            answer=answer.text,
            citations=[citation.model_dump(mode="json") for citation in answer.citations],
            answerable=answer.answerable,
            model=answer.model,
            answer_tokens=answer_tokens,
        )
        written: list[str] = []
        run.with_end.append(lambda connection: written.append(turns.append(connection, turn)))
        run.after_end.append(lambda: self._memory.remember(written[-1]))
        return told
