"""Runs one row: documents are handed in, the row does its worst, and everything is counted."""

import random
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.chaos.documents import Planned, write_documents
from tests.chaos.interventions import Interventions
from tests.chaos.postgresql import PostgreSQL
from tests.chaos.questions import Questioner
from tests.chaos.served import served
from tests.chaos.stack import Stack, running_stack
from tests.chaos.submission import Submission, Submitted, persevere
from tests.chaos.trial import Row, Trial
from tests.chaos.verdict import Verdict
from tests.chaos.verifier import Verifier
from tests.chaos.watch import LOOK, Watch

PATIENCE = 150.0
"""Seconds without any change in the ledger after which what is open counts as lost: longer than
the longest back-off and a lease together."""

LONGEST_WAIT = 1800.0
"""Seconds in which all has to be over, however slow the machine."""

LONGEST_QUESTIONING = 60.0
"""Seconds for which questions go on behind the disturbance."""

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
    disturbance_seconds: float | None = None,
    allowance: float = 1.0,
) -> Verdict:
    """Run a row on a stack that runs already, in a collection named after it.

    Args:
        stack: that is disturbed.
        row: what to do.
        count: of documents.
        seed: of everything that is random.
        folder: for the documents.
        say: takes a line about what happens.
        server: the stack's own database server, where it has one.
        patience: seconds without any change after which an open job counts as lost.
        disturbance_seconds: how long the row disturbs; as long as it says itself by default.
        allowance: how many times as long as promised a recovery may take.
    """
    began = time.monotonic()
    dice = random.Random(f"{row.name} {seed}")
    papers = folder / f"documents-{row.name}"
    plan = write_documents(papers, count, seed)
    collection = f"chaos-{row.name}"
    verdict = Verdict(row.name, seed)
    with ExitStack() as held:
        held.enter_context(row.company(stack))
        persevere(lambda: stack.client.create_collection(collection))
        address = held.enter_context(served(papers))
        submission = Submission(stack.url, collection, plan, random.Random(seed), served=address)
        held.callback(submission.abandon)
        others = Interventions(
            stack, collection, papers / "others", seed, random.Random(f"others {row.name} {seed}")
        )
        held.callback(others.abandon)
        watch = held.enter_context(Watch(stack.ledger, collection).watching())
        questioner = None
        if row.questions:
            good = [planned for planned in plan if planned.markers]
            known = _newest_completed(submission, watch)
            questioner = Questioner(stack.url, collection, good, known, seed)
            held.callback(questioner.finish)
            questioner.start()
        submission.start()
        others.start()
        longest = disturbance_seconds or row.longest
        trial = Trial(stack, submission, watch, collection, dice, say, server, longest)
        try:
            row.disturb(trial)
        except (AssertionError, TimeoutError) as error:
            verdict.broken.append(f"the row itself: {error}")
        submission.finish()
        if questioner is not None:
            # What is known of more and more documents is asked for while the rest is worked off.
            ends = time.monotonic() + LONGEST_QUESTIONING
            while watch.look.open_ingestions and time.monotonic() < ends:
                time.sleep(LOOK)
            questioner.finish()
        say(f"{row.name}: waiting for {watch.look.open} jobs")
        watch.refresh()
        watch.settled(patience, LONGEST_WAIT)
        others.finish(patience, LONGEST_WAIT)
        verdict.seconds = time.monotonic() - began
        verifier = Verifier(stack, collection)
        verifier.judge(verdict, submission, questioner, watch, others.expected())
        others.judge(verdict, verifier)
        verdict.disturbances, verdict.idle = trial.done, trial.idle
        verdict.weigh(row.felt, allowance)
    return verdict


def _newest_completed(submission: Submission, watch: Watch) -> Callable[[Planned], Planned | None]:
    """What tells the newest version of a document that is known to be completed."""
    entries = {entry.planned.number: entry for entry in submission.submitted}

    def completed(entry: Submitted | None) -> bool:
        jobs = watch.look.jobs
        return entry is not None and any(
            (job := jobs.get(one.task_id)) is not None and job.status == "completed"
            for one in list(entry.accepted)
        )

    def newest(planned: Planned) -> Planned | None:
        entry = entries[planned.number]
        if completed(entry.later):
            return planned.successor
        return planned if completed(entry) else None

    return newest
