"""Runs one row: documents are handed in, the row does its worst, and everything is counted."""

import random
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.chaos.documents import write_documents
from tests.chaos.postgresql import PostgreSQL
from tests.chaos.questions import Questioner
from tests.chaos.stack import Stack, running_stack
from tests.chaos.submission import Submission, persevere
from tests.chaos.trial import LONGEST_DISTURBANCE, Row, Trial
from tests.chaos.verdict import Verdict, Verifier
from tests.chaos.watch import Watch

PATIENCE = 150.0
"""Seconds without any change in the ledger after which what is open counts as lost: longer than
the longest back-off and a lease together."""

LONGEST_WAIT = 1800.0
"""Seconds in which all has to be over, however slow the machine."""

Say = Callable[[str], None]


def run_row(
    row: Row,
    count: int,
    seed: int,
    say: Say,
    *,
    keep: bool = False,
    patience: float = PATIENCE,
) -> Verdict:
    """Run a row on a stack of its own.

    Args:
        row: what to do.
        count: of documents.
        seed: of everything that is random.
        say: takes a line about what happens.
        keep: leave the data folder of a row that is not clean, logs and ledger in it.
        patience: seconds without any change after which an open job counts as lost.
    """
    obstacle = row.obstacle()
    if obstacle is not None:
        return Verdict(row.name, seed, skipped=obstacle)
    folder = Path(tempfile.mkdtemp(prefix=f"flotilla-chaos-{row.name}-"))
    verdict = None
    try:
        data = folder / "data"
        data.mkdir()
        with ExitStack() as held:
            around = held.enter_context(row.around(data))
            stack = held.enter_context(running_stack(data, **around.settings))
            verdict = disturb(stack, row, count, seed, folder, say, around.server, patience)
            if keep and not verdict.clean:
                shutil.copytree(data / "qdrant", folder / "qdrant", dirs_exist_ok=True)
        return verdict
    finally:
        if keep and verdict is not None and not verdict.clean:
            say(f"kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def disturb(
    stack: Stack,
    row: Row,
    count: int,
    seed: int,
    folder: Path,
    say: Say,
    server: PostgreSQL | None = None,
    patience: float = PATIENCE,
    disturbance_seconds: float = LONGEST_DISTURBANCE,
) -> Verdict:
    """Run a row on a stack that runs already, in a collection named after it."""
    began = time.monotonic()
    dice = random.Random(f"{row.name} {seed}")
    plan = write_documents(folder / f"documents-{row.name}", count, seed)
    collection = f"chaos-{row.name}"
    verdict = Verdict(row.name, seed)
    with ExitStack() as held:
        held.enter_context(row.company(stack))
        persevere(lambda: stack.client.create_collection(collection))
        submission = Submission(stack.url, collection, plan, random.Random(seed))
        held.callback(submission.abandon)
        good = [planned for planned in plan if planned.markers]
        questioner = Questioner(stack.url, collection, good) if row.questions else None
        watch = held.enter_context(Watch(stack.ledger, collection).watching())
        submission.start()
        if questioner is not None:
            questioner.start()
            held.callback(questioner.finish)
        trial = Trial(stack, submission, watch, collection, dice, say, server, disturbance_seconds)
        try:
            row.disturb(trial)
        except (AssertionError, TimeoutError) as error:
            verdict.lost.append(f"the row itself: {error}")
        submission.finish()
        if questioner is not None:
            questioner.finish()
        say(f"{row.name}: waiting for {watch.look.open} jobs")
        watch.refresh()
        watch.settled(patience, LONGEST_WAIT)
        verdict.seconds = time.monotonic() - began
        Verifier(stack, collection, row.tolerated).judge(verdict, submission, questioner, watch)
        verdict.disturbances, verdict.idle = trial.done, trial.idle
    return verdict
