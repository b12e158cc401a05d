"""The ledger's tables as they are, read with plain SQL: the harness believes nobody."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

FINAL = frozenset({"completed", "failed", "cancelled", "partial"})


class JobState(NamedTuple):
    """What can be seen of a job's way; times are seconds since 1970."""

    id: str
    kind: str
    status: str
    stage: str
    attempt: int
    progress: int | None
    owner: str | None
    error_code: str | None
    error_message: str | None
    document_id: str | None
    sent_at: float | None = None

    @property
    def final(self) -> bool:
        """Whether it is over."""
        return self.status in FINAL


class StepState(NamedTuple):
    """One step of a job and who has claimed it; times are seconds since 1970."""

    job_id: str
    stage: str
    part: int
    state: str
    attempts: int
    fence: int
    owner: str | None
    sent_at: float | None = None
    due_at: float | None = None
    lease_until: float | None = None

    @property
    def key(self) -> tuple[str, str, int]:
        """Which step it is."""
        return self.job_id, self.stage, self.part


class LedgerView:
    """Reads a ledger from outside. Every method raises SQLAlchemyError where it cannot be had.

    Args:
        url: of the database, as `DATABASE_URL` has it.
    """

    def __init__(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        if scheme in ("postgresql", "postgres"):
            url = f"postgresql+psycopg://{rest}"
        self._engine = create_engine(url, poolclass=NullPool)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def rows(self, statement: str, **values: Any) -> Sequence[Any]:
        """The rows of a statement."""
        with self._engine.connect() as connection:
            return connection.execute(text(statement), values).all()

    def jobs(self, collection: str) -> list[JobState]:
        """Every job of a collection, questions included."""
        found = self.rows(
            "SELECT id, kind, status, stage, attempt, progress_done, lease_owner, error_code, "
            "error_message, document_id, sent_at FROM jobs WHERE collection = :collection",
            collection=collection,
        )
        return [JobState(*[*row[:-1], _seconds(row[-1])]) for row in found]

    def job(self, job_id: str) -> JobState | None:
        """One job, whatever its collection."""
        found = self.rows(
            "SELECT id, kind, status, stage, attempt, progress_done, lease_owner, error_code, "
            "error_message, document_id FROM jobs WHERE id = :id",
            id=job_id,
        )
        return JobState(*found[0]) if found else None

    def versions(self, document_id: str) -> list[str]:
        """Ids of a document's versions, also of those that failed."""
        found = self.rows("SELECT id FROM versions WHERE document_id = :id", id=document_id)
        return [row[0] for row in found]

    def steps(self, collection: str) -> list[StepState]:
        """Every step of a collection's jobs."""
        found = self.rows(
            "SELECT s.job_id, s.stage, s.part, s.state, s.attempts, s.fence, s.lease_owner, "
            "s.sent_at, s.due_at, s.lease_until "
            "FROM steps s JOIN jobs j ON j.id = s.job_id WHERE j.collection = :collection",
            collection=collection,
        )
        return [StepState(*[*row[:7], *map(_seconds, row[7:])]) for row in found]

    def running(self, collection: str, stages: Sequence[str]) -> list[StepState]:
        """The steps that somebody works on now, of stages that begin with one of these."""
        found = self.rows(
            "SELECT s.job_id, s.stage, s.part, s.state, s.attempts, s.fence, s.lease_owner "
            "FROM steps s JOIN jobs j ON j.id = s.job_id "
            "WHERE j.collection = :collection AND s.state = 'running' AND j.finished_at IS NULL "
            "AND s.lease_owner IS NOT NULL",
            collection=collection,
        )
        return [step for row in found if (step := StepState(*row)).stage.startswith(tuple(stages))]

    def answering(self, collection: str) -> list[str]:
        """Who works on questions to a collection now."""
        found = self.rows(
            "SELECT lease_owner FROM jobs WHERE collection = :collection AND kind = 'query' "
            "AND finished_at IS NULL AND lease_owner IS NOT NULL",
            collection=collection,
        )
        return [row[0] for row in found]

    def failures(self, job_id: str) -> list[str]:
        """A job's failed attempts, oldest first, a line each."""
        found = self.rows(
            "SELECT stage, part, attempt, worker, code, message FROM failures "
            "WHERE job_id = :job_id ORDER BY id",
            job_id=job_id,
        )
        return [" ".join(map(str, row)) for row in found]

    def failed_attempts(self, collection: str) -> dict[str, int]:
        """How many attempts failed, by stage and code: whether the disturbance was felt."""
        found = self.rows(
            "SELECT f.stage, f.code, COUNT(*) FROM failures f JOIN jobs j ON j.id = f.job_id "
            "WHERE j.collection = :collection GROUP BY f.stage, f.code",
            collection=collection,
        )
        return {f"{stage} {code}": int(times) for stage, code, times in found}


def _seconds(moment: datetime | str | None) -> float | None:
    """A column's UTC time; SQLite has it as text."""
    if moment is None:
        return None
    read = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return read.replace(tzinfo=UTC).timestamp()
