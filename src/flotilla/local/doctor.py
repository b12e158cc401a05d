"""`flotilla doctor`: looks for what would keep the stack from working, and says how to mend it."""

import importlib.metadata
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from flotilla.errors import FlotillaError
from flotilla.local.findings import Finding, without_password
from flotilla.local.server_checks import check_cache, check_qdrant, check_redis
from flotilla.local.stack.options import LOOPBACK, Ports
from flotilla.local.stack.ports import is_free
from flotilla.local.stack.record import StackRecord, read_record
from flotilla.local.stack.status import ProcessStatus, status
from flotilla.settings import Settings, unknown_variables

OLDEST_PYTHON = (3, 11)

EXTRAS = ("document", "vectorstore", "rag", "default", "gateway", "cli", "flower", "local")
"""What the one-machine stack needs; `postgres` and `s3` are looked at where they are used."""

GIBIBYTE = 1024**3

LEAST_DISK = 1 * GIBIBYTE
"""Room for the embedding model, the logs and a first few thousand documents."""

LEAST_MEMORY = 1 * GIBIBYTE
"""What the fleets with one worker each hold when their models are loaded, rounded up."""


LedgerCheck = Callable[[Settings], bool]


def ledger_is_current(settings: Settings) -> bool:
    """Whether the ledger answers and its tables have the newest form.

    Raises:
        DependencyUnavailable: the database does not answer.
    """
    from flotilla.ledger.database import Database, is_current

    database = Database(settings.ledger_url)
    try:
        return is_current(database)
    finally:
        database.close()


ModelLookup = Callable[[Settings], str | None]


def model_in_use(settings: Settings) -> str | None:
    """The embedding model that the ledger has answer, or None while it does not tell."""
    from flotilla.ledger import spaces
    from flotilla.ledger.database import Database

    path = settings.ledger_url.removeprefix("sqlite:///")
    if path != settings.ledger_url and not Path(path).exists():
        return None
    database = Database(settings.ledger_url)
    try:
        with database.reading() as connection:
            known = spaces.undropped(connection)
    except FlotillaError:  # the check of the ledger says so
        return None
    finally:
        database.close()
    return known[0].model if known and known[0].state is spaces.SpaceState.ACTIVE else None


def doctor(
    settings: Settings,
    data: Path,
    ledger: LedgerCheck = ledger_is_current,
    in_use: ModelLookup = model_in_use,
) -> list[Finding]:
    """Look at everything that the stack of this data folder needs.

    Args:
        settings: those that the stack would start with.
        data: the stack's folder, which need not exist yet.
        ledger: tells whether the ledger's tables have the newest form.
        in_use: tells which embedding model the documents are embedded with.
    """
    data = data.expanduser().resolve()
    settings = settings.model_copy(update={"data": data})
    processes = status(data)
    record = read_record(data) if processes else None
    return [
        check_python(),
        check_packages(_extras(settings)),
        check_variables(),
        check_folder(data),
        check_disk(data),
        check_memory(running=bool(processes)),
        check_redis(settings),
        check_cache(settings),
        check_qdrant(settings),
        check_model(settings),
        check_ledger(settings, ledger),
        check_model_in_use(settings, in_use),
        check_ports(settings, record),
        check_stack(data, processes),
    ]


def check_python() -> Finding:
    """Python is new enough."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= OLDEST_PYTHON:
        return Finding("Python", True, version)
    return Finding("Python", False, f"{version} is too old", "Install Python 3.11 or newer.")


def check_packages(extras: Iterable[str]) -> Finding:
    """The packages of Flotilla's extras are installed."""
    extras = list(extras)
    missing: dict[str, list[str]] = {}
    for package, extra in _required_packages():
        if extra in extras and not _is_installed(package):
            missing.setdefault(extra, []).append(package)
    if not missing:
        return Finding("packages", True, ", ".join(extras))
    told = "; ".join(f"{extra}: {', '.join(names)}" for extra, names in missing.items())
    return Finding(
        "packages",
        False,
        f"missing for {told}",
        f"Run: pip install 'flotilla[{','.join(missing)}]'",
    )


def check_variables() -> Finding:
    """No variable that begins with FLOTILLA_ is a typing slip, and `.env` can be read."""
    try:
        unknown = unknown_variables()
    except OSError as error:
        return Finding(
            "variables",
            False,
            f".env cannot be read: {error.strerror}",
            "Give yourself the right to read the file .env, or remove it.",
        )
    if not unknown:
        return Finding("variables", True, "no unknown FLOTILLA_ variable is set")
    hints = [f"{name} → {near}" if near else f"remove {name}" for name, near in unknown.items()]
    return Finding(
        "variables",
        False,
        f"unknown: {', '.join(unknown)}",
        f"Correct in the environment or in .env: {'; '.join(hints)}.",
    )


def check_folder(data: Path) -> Finding:
    """The data folder, or the nearest folder above it that exists, can be written to."""
    folder = _existing(data)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding(
            "data folder",
            False,
            f"{folder} cannot be written to: {error.strerror}",
            "Set FLOTILLA_DATA to a folder of your own, or give yourself the right to write.",
        )
    return Finding("data folder", True, str(data))


def check_disk(data: Path) -> Finding:
    """There is room on the data folder's disk."""
    free = shutil.disk_usage(_existing(data)).free
    detail = f"{free / GIBIBYTE:.1f} GiB free"
    if free >= LEAST_DISK:
        return Finding("disk", True, detail)
    return Finding("disk", False, detail, "Free 1 GiB, or set FLOTILLA_DATA to another disk.")


def check_memory(*, running: bool) -> Finding:
    """There is memory for the fleets, unless they hold theirs already."""
    free = psutil.virtual_memory().available
    detail = f"{free / GIBIBYTE:.1f} GiB available"
    if running or free >= LEAST_MEMORY:
        return Finding("memory", True, detail)
    return Finding("memory", False, detail, "End other programs: the stack wants about 1 GiB.")


def check_model(settings: Settings) -> Finding:
    """The embedding model lies on this machine, or its server replies."""
    if settings.embedding_is_remote:
        return _check_served_model(settings)
    from flotilla.local.model.pull import is_present, model_folder

    try:
        folder = model_folder(settings)
        if is_present(settings):
            return Finding("embedding model", True, str(folder))
    except FlotillaError as error:
        return Finding("embedding model", False, error.message, "Correct EMBEDDING_MODEL.")
    return Finding("embedding model", False, f"not in {folder}", "Run: flotilla models pull")


def _check_served_model(settings: Settings) -> Finding:
    from flotilla.vectorstore.embedders import dimensions_of

    model = settings.embedding.model
    try:
        dimensions = dimensions_of(settings, model)
    except FlotillaError as error:
        remedy = "Correct EMBEDDING_MODEL, its server's address or its key; or start that server."
        return Finding("embedding model", False, error.message, remedy)
    return Finding("embedding model", True, f"{model} replies with {dimensions} dimensions")


def check_ledger(settings: Settings, is_current: LedgerCheck) -> Finding:
    """The ledger's database answers and its tables have the newest form."""
    where = without_password(settings.ledger_url)
    path = where.removeprefix("sqlite:///")
    if path != where and not Path(path).exists():
        return Finding("ledger", True, "not made yet; `flotilla up` makes it")
    try:
        if is_current(settings):
            return Finding("ledger", True, where)
    except FlotillaError as error:
        return Finding("ledger", False, where, error.message)
    return Finding("ledger", False, f"{where} has older tables", "Run: flotilla db upgrade")


def check_model_in_use(settings: Settings, in_use: ModelLookup) -> Finding:
    """The documents are embedded with the model that the settings name."""
    used = in_use(settings)
    if used is None or used == settings.embedding.model:
        return Finding("model in use", True, settings.embedding.model)
    name = settings.embedding_model_name
    return Finding(
        "model in use",
        False,
        f"documents are embedded with {used}, EMBEDDING_MODEL says {settings.embedding.model}",
        f"Run: flotilla models migrate {name}; or set EMBEDDING_MODEL={used}.",
    )


def check_ports(settings: Settings, record: StackRecord | None) -> Finding:
    """The ports are free or the stack's own; one that is taken is no fault, since it is
    replaced."""
    if record is not None:
        own = ", ".join(f"{name} {port}" for name, port in record.taken.model_dump().items())
        return Finding("ports", True, f"in use by this stack: {own}")
    asked = Ports(gateway=settings.gateway.port).model_dump()
    hosts = {"gateway": settings.gateway.host}
    taken = [
        f"{port} ({name})"
        for name, port in asked.items()
        if not is_free(hosts.get(name, LOOPBACK), port)
    ]
    if not taken:
        return Finding("ports", True, ", ".join(f"{n} {p}" for n, p in asked.items()) + " are free")
    return Finding("ports", True, f"taken: {', '.join(taken)}; the stack will use the next free")


def check_stack(data: Path, processes: Iterable[ProcessStatus]) -> Finding:
    """No program of the stack fails or has lost its supervisor."""
    processes = list(processes)
    bad = [f"{p.name} is {p.state}" for p in processes if p.state not in ("running", "starting")]
    if bad:
        remedy = f"Read the logs in {data / 'logs'}, then: flotilla down; flotilla up"
        return Finding("stack", False, ", ".join(bad), remedy)
    return Finding("stack", True, f"{len(processes)} programs run" if processes else "not running")


def _extras(settings: Settings) -> list[str]:
    extras = list(EXTRAS)
    if settings.ledger_url.startswith("postgresql"):
        extras.append("postgres")
    if settings.blobs_url.startswith("s3:"):
        extras.append("s3")
    return extras


def _required_packages() -> Iterable[tuple[str, str]]:
    for line in importlib.metadata.requires("flotilla") or ():
        package = re.match(r"[A-Za-z0-9._-]+", line)
        extra = re.search(r"""extra\s*==\s*["']([^"']+)""", line)
        if package and extra and package[0] != "flotilla":
            yield package[0], extra[1]


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if os.path.lexists(path))
