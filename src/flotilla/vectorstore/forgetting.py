"""What deleted conversations leave: their turns' points, and what a sweep finds of them."""

from collections.abc import Callable, Sequence

from flotilla import pipelines
from flotilla.ledger import forgetting, job_ends
from flotilla.ledger.announce import announce
from flotilla.ledger.database import Database
from flotilla.ledger.endings import tell
from flotilla.ledger.runs import StageRun
from flotilla.ledger.stages import stage
from flotilla.logging import get_logger
from flotilla.schemas.sweeps import TurnFindings
from flotilla.vectorstore.loaded import get_spaces
from flotilla.vectorstore.spaces import VectorSpace

logger = get_logger(__name__)


@stage(pipelines.FORGET)
def forget(run: StageRun) -> None:
    """Remove a deleted conversation's jobs, points, messages and its row."""
    conversation_id: str = run.job.payload["conversation_id"]
    with run.database.writing() as connection:
        cancelled = forgetting.cancel_turns(connection, conversation_id)
    for task in cancelled:
        announce(task)
    points = sum(
        space.turns.remove_conversation(run.job.tenant_id, conversation_id)
        for space in get_spaces().writable(fresh=True)
    )
    with run.writing() as connection:
        messages = forgetting.purge(connection, [conversation_id])
        ended = job_ends.complete(
            connection,
            run.job.id,
            {"conversation_id": conversation_id, "messages": messages, "points": points},
        )
    if ended is not None:
        tell(run.database, ended)


class TurnSweep:
    """One sweep over the turns of all spaces, and over the rows of deleted conversations.

    Args:
        database: the ledger.
        spaces: all that are written.
        checkpoint: called between pages; raises when the sweep is not wanted any more.
        dry_run: whether to report only.
    """

    def __init__(
        self,
        database: Database,
        spaces: Sequence[VectorSpace],
        checkpoint: Callable[[], None],
        *,
        dry_run: bool,
    ) -> None:
        self._database = database
        self._spaces = spaces
        self._checkpoint = checkpoint
        self._dry_run = dry_run

    def sweep(self) -> TurnFindings:
        """Remove the points of turns whose conversation is gone, and then what deletions that
        failed have left of deleted ones.

        Raises:
            SweepRefused: the points are another ledger's.
            DependencyUnavailable: Qdrant or the ledger is out of reach.
        """
        found = TurnFindings()
        for space in self._spaces:
            self._remove_orphans(space, found)
        self._finish_deletions(found)
        return found

    def _remove_orphans(self, space: VectorSpace, found: TurnFindings) -> None:
        judge = forgetting.Judge()
        for page in space.turns.pages():
            self._checkpoint()
            with self._database.reading() as connection:
                orphaned = judge.orphaned(connection, {turn.conversation_id for turn in page})
            found.looked_at += len(page)
            by_tenant: dict[str, set[str]] = {}
            for turn in page:
                if turn.conversation_id in orphaned:
                    found.orphaned += 1
                    by_tenant.setdefault(turn.tenant_id, set()).add(turn.conversation_id)
            if not self._dry_run:
                for tenant_id, gone in by_tenant.items():
                    space.turns.remove_conversations(tenant_id, sorted(gone))
                    logger.info("sweep.turns_removed", conversations=len(gone))

    def _finish_deletions(self, found: TurnFindings) -> None:
        after = ""
        while True:
            self._checkpoint()
            with self._database.reading() as connection:
                left = forgetting.leftovers(connection, after)
            if not left:
                return
            after = left[-1]
            found.deleted_conversations += len(left)
            if not self._dry_run:
                with self._database.writing() as connection:
                    forgetting.purge(connection, left)
