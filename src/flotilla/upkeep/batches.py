"""What batches need from outside: those that nobody adds to are closed, and those whose members are
still being written, cancelled or tried again go on, whoever began it and died."""

import time

from flotilla.ledger import due_batches, reindexing, retries
from flotilla.ledger.database import Database
from flotilla.ledger.endings import cancel_members, tell_batch
from flotilla.logging import get_logger
from flotilla.upkeep.outages import OUTAGES

logger = get_logger(__name__)

SECONDS = 1.5
"""For which one turn of the reaper works on batches; the rest is left to the next."""


def advance(database: Database, seconds: float = SECONDS) -> None:
    """Look at the batches that are due, for about so long."""
    for batch_id in due_batches.close_idle(database):
        logger.info("batch.closed_idle", task_id=batch_id)
        tell_batch(database, batch_id)
    deadline = time.monotonic() + seconds
    with database.reading() as connection:
        busy = [batch for batch in due_batches.due(connection) if batch.busy]
    for batch in busy:
        left = deadline - time.monotonic()
        if left <= 0:
            return
        try:
            _go_on(database, batch, left)
        except OUTAGES:
            raise  # it would be the same for all others
        except Exception:  # one that cannot go on does not keep the others waiting
            logger.exception("batch.not_advanced", task_id=batch.id)
            due_batches.put_off(database, batch.id)


def _go_on(database: Database, batch: due_batches.Due, seconds: float) -> None:
    if batch.cancelled:
        cancel_members(database, batch.id, seconds)
    elif batch.retry:
        retries.retry_rest(database, batch.id, seconds)
    elif reindexing.write_members(database, batch.id, seconds):
        tell_batch(database, batch.id)
