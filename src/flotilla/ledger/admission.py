"""Admission: how much of what waits in the ledger is handed to the broker, and whose turn it is.

The broker's queues are first come, first served. So that a tenant who submits a thousand documents
does not make another wait for all of them, only as many ingestions are in flight as keep the fleets
busy; the rest waits in the ledger, and whoever has the fewest in flight comes next.
"""

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy import Connection, func, select, update

from flotilla.broker import queue_of
from flotilla.ledger.database import now
from flotilla.ledger.fleet_sizes import get_fleet_sizes
from flotilla.ledger.jobs import JOB_COLUMNS, OPEN, Job, job_of, sent
from flotilla.ledger.steps import StepState
from flotilla.ledger.tables import JOBS, STEPS, TENANTS
from flotilla.settings import get_settings

jobs = JOBS.c
steps = STEPS.c

KINDS = ("ingest", "reindex")
"""Kinds of jobs that wait for admission; all others are sent as soon as they are written."""

BACKGROUND = ("vectorstore.fill_space",)
"""Stages of which no more parts are sent at once than their fleet works on: nobody waits for them,
and whoever waits for something else finds few of them before it in the queue."""

FLEETS = ("document", "vectorstore")
JOBS_PER_PROCESS = 4
FEWEST_JOBS = 32
PARTS_PER_PROCESS = 4
FEWEST_PARTS = 16
FEWEST_OF_WAVE = 2
# What rests keeps no place. But where everything rests, as when a provider asks all for patience,
# not all that waits is to be sent and rest as well: past this many times the window, the more were
# handed out, the fewer are at work at a time.
MOST_SENT = 4
PIECE = 500
RESTING_AFTER = timedelta(seconds=10)


def window() -> int:
    """How many ingestions may be in flight."""
    fixed = get_settings().job.in_flight
    if fixed:
        return fixed
    processes = get_fleet_sizes().get()
    return max(FEWEST_JOBS, JOBS_PER_PROCESS * sum(processes.get(fleet, 0) for fleet in FLEETS))


def wave_size(connection: Connection, stage: str, fleets: Mapping[str, int]) -> int:
    """How many parts of one job's fan-out are sent at once.

    The jobs that are at the same stage share what keeps its fleet busy: whoever comes after them
    finds that much before him in the queue, and not that much of each.

    Args:
        connection: the transaction that marks them.
        stage: of the fan-out.
        fleets: the fleets' sizes, asked for before the transaction: Redis may take its time.
    """
    if stage in BACKGROUND:
        return max(1, fleets.get(queue_of(stage), 0))
    fixed = get_settings().job.parts_in_flight
    if fixed:
        return fixed
    together = max(FEWEST_PARTS, PARTS_PER_PROCESS * fleets.get(queue_of(stage), 0))
    return max(FEWEST_OF_WAVE, together // max(1, _jobs_at(connection, stage)))


def _jobs_at(connection: Connection, stage: str) -> int:
    found = select(func.count()).where(
        jobs.kind.in_(KINDS),
        jobs.finished_at.is_(None),
        jobs.sent_at.is_not(None),
        jobs.status.in_(OPEN),  # as the index of sent jobs says it
        jobs.stage == stage,
    )
    return connection.scalar(found) or 0


def release(connection: Connection, limit: int) -> list[Job]:
    """Take the next jobs out of the ledger's queue; they have to be sent now.

    At most `limit` are in flight, besides those that rest, but a tenant that has none gets one in
    any case. Should the caller die before it has sent them, the reaper finds them silent and does
    it.
    """
    # One look for each tenant: a hundred thousand jobs that wait are not read for it.
    waits = select(jobs.id).where(
        jobs.tenant_id == TENANTS.c.id,
        jobs.kind.in_(KINDS),
        jobs.finished_at.is_(None),
        jobs.sent_at.is_(None),
        jobs.cancel_requested_at.is_(None),
    )
    first = waits.limit(1).scalar_subquery()
    waiting = [row.id for row in connection.execute(select(TENANTS.c.id, first)) if row[1]]
    if not waiting:
        return []
    tenants = sent(connection, KINDS)
    resting = _resting(connection, list(tenants))
    busy = Counter(tenant for job_id, tenant in tenants.items() if job_id not in resting)
    # A tenant all of whose jobs rest is not without any.
    in_flight = {tenant: max(1, busy[tenant]) for tenant in tenants.values()}
    room = _at_work(limit, len(tenants)) - busy.total()
    chosen = _choose(connection, waiting, in_flight, room)
    if not chosen:
        return []
    rows = connection.execute(
        update(JOBS)
        .where(jobs.id.in_(chosen), jobs.sent_at.is_(None), jobs.finished_at.is_(None))
        .values(sent_at=now())
        .returning(*JOB_COLUMNS)
    )
    order = {job_id: at for at, job_id in enumerate(chosen)}
    return sorted((job_of(row) for row in rows), key=lambda job: order[job.id])


def _at_work(limit: int, handed_out: int) -> int:
    """How many of the jobs that were handed out may be at work while the others rest.

    Never none: what waits behind a source or a provider that asks for patience may need neither.
    With eight times the window handed out it is a quarter of it, with sixteen times a sixteenth.
    """
    excess = max(1.0, handed_out / (MOST_SENT * limit))
    return max(1, int(limit / excess**2))


def _resting(connection: Connection, job_ids: Sequence[str]) -> set[str]:
    """Those of the jobs with a step that is tried again only later: they keep nobody busy."""
    found: set[str] = set()
    for first in range(0, len(job_ids), PIECE):
        rows = connection.scalars(
            select(steps.job_id).where(
                steps.job_id.in_(job_ids[first : first + PIECE]),
                steps.state == StepState.WAITING.value,
                steps.state != StepState.DONE.value,  # as the index of open steps says it
                steps.due_at > now() + RESTING_AFTER,
            )
        )
        found.update(rows)
    return found


def _choose(
    connection: Connection, waiting: Sequence[str], in_flight: dict[str, int], room: int
) -> list[str]:
    """Ids of the jobs whose turn it is, the tenant with the fewest in flight first."""
    queues: dict[str, list[str]] = {}
    for tenant in waiting:
        wanted = max(room, 0 if in_flight.get(tenant) else 1)
        if wanted > 0:
            queues[tenant] = list(
                connection.scalars(
                    select(jobs.id)
                    .where(
                        # Said so, PostgreSQL reads the index of what waits in its order, and not
                        # the primary key past all that has ever ended.
                        jobs.tenant_id >= tenant,
                        jobs.tenant_id <= tenant,
                        jobs.kind.in_(KINDS),
                        jobs.finished_at.is_(None),
                        jobs.sent_at.is_(None),
                        jobs.cancel_requested_at.is_(None),
                    )
                    .order_by(jobs.tenant_id, jobs.id)
                    .limit(wanted)
                )
            )
    turns = [(in_flight.get(tenant, 0), ids[0], tenant) for tenant, ids in queues.items() if ids]
    heapq.heapify(turns)
    chosen: list[str] = []
    while turns:
        held, job_id, tenant = heapq.heappop(turns)
        if len(chosen) >= room and held > 0:
            break  # the others have at least as many
        chosen.append(job_id)
        queue = queues[tenant]
        queue.pop(0)
        if queue:
            heapq.heappush(turns, (held + 1, queue[0], tenant))
    return chosen
