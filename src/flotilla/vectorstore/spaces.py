"""The spaces that a process searches and writes: which they are, and their models.

A space is an embedding model with the Qdrant collection of its vectors. A question takes one space
at its beginning, embeds with its model and searches its collection, so that vectors of two models
never meet. A document is written to all spaces that the ledger has written.
"""

import threading
import time
from collections.abc import Callable

from flotilla.errors import (
    ConfigurationError,
    DependencyUnavailable,
    FileCorrupt,
    FlotillaError,
    ModelMissing,
)
from flotilla.heartbeats import show
from flotilla.ledger import spaces
from flotilla.ledger.database import Database
from flotilla.ledger.spaces import WRITTEN, Space, SpaceState
from flotilla.logging import get_logger
from flotilla.settings import Settings
from flotilla.vectorstore.census import PointCensus
from flotilla.vectorstore.embedder import Embedder
from flotilla.vectorstore.embedders import dimensions_of
from flotilla.vectorstore.lean_client import LeanClient
from flotilla.vectorstore.model_loading import LoadedModels
from flotilla.vectorstore.points import PointStore, collection_name
from flotilla.vectorstore.turn_points import TurnPoints

logger = get_logger(__name__)

FRESH_SECONDS = 1.0
"""How old the ledger's word may be where a stale one does no harm."""

LOOK_SECONDS = 0.7
"""Between two looks of a worker's own thread, so that no question has to wait for one."""

READY = "ready"
"""What a worker shows of a model that it has loaded; otherwise why it has not."""


class VectorSpace:
    """A space of the ledger, with the means to search and to write it.

    Args:
        row: as the ledger has it; its dimensions are known.
        client: of Qdrant.
        load: gives the space's model, loaded once a process.
    """

    def __init__(self, row: Space, client: LeanClient, load: Callable[[], Embedder]) -> None:
        assert row.dimensions is not None  # noqa: S101 - known before anything is written
        self.row = row
        self.id = row.id
        self.points = PointStore(client, row.collection, row.dimensions)
        self.census = PointCensus(client, row.collection)
        self.turns = TurnPoints(client, row.collection, row.dimensions)
        self._load = load

    @property
    def embedder(self) -> Embedder:
        """The space's model.

        Raises:
            ModelMissing: it is not on this machine.
            FileCorrupt: its folder is damaged.
            DependencyUnavailable: its server does not reply, or did not a moment ago.
        """
        return self._load()


class Spaces:
    """The spaces as one process sees them; safe to share between threads.

    Args:
        database: gives the ledger.
        settings: their EMBEDDING_MODEL makes the first space, and none after that.
        client: of Qdrant.
        load: makes a model's embedder; raises as `load_embedder` does.
    """

    def __init__(
        self,
        database: Callable[[], Database],
        settings: Settings,
        client: LeanClient,
        load: Callable[[str], Embedder],
    ) -> None:
        self._database = database
        self._settings = settings
        self._client = client
        self._load = load
        self._rows: list[Space] = []
        self._read_at = float("-inf")
        self._models = LoadedModels()
        self._warned = False

    # --- which spaces there are ------------------------------------------------------------

    def readable(self, *, fresh: bool = False) -> VectorSpace:
        """The space to answer from.

        It may be the one before for a moment after a switch, which is written as well, and is as
        good. Where this machine lacks the active one's model, that one answers, too.

        Raises:
            ModelMissing: this machine has the model of no space that is up to date.
            DependencyUnavailable: the model's server does not reply, or the ledger.
        """
        missing: FlotillaError | None = None
        for row in self._known(fresh=fresh):
            if row.state in (SpaceState.ACTIVE, SpaceState.STANDBY):
                try:
                    self._embedder(row)
                except (ModelMissing, FileCorrupt) as error:
                    missing = missing or error
                else:
                    return self._space(row)
        raise missing or ModelMissing("No embedding model is in use yet.")

    def writable(self, *, fresh: bool = False) -> list[VectorSpace]:
        """The spaces that a document is written to, the active one first.

        With `fresh` they are what the ledger says now; otherwise up to a second ago, which is for
        work that somebody completes who asks anew.
        """
        return [self._space(row) for row in self._known(fresh=fresh) if row.state in WRITTEN]

    def get(self, space_id: str) -> VectorSpace | None:
        """One of the spaces that are written, as the ledger says now."""
        return next((space for space in self.writable(fresh=True) if space.id == space_id), None)

    def clear_dropped(self, used: list[VectorSpace]) -> None:
        """Delete what was written to spaces that were dropped in the meantime."""
        written = {space.id for space in self.writable(fresh=True)}
        for space in used:
            if space.id not in written:
                space.points.drop()
                space.turns.drop()

    def delete_dropped(self) -> None:
        """Delete the collections of dropped spaces that a late worker has made again."""
        with self._database().reading() as connection:
            gone = spaces.dropped(connection)
        for space in gone:
            self.delete(space)

    def delete(self, dropped: Space) -> int:
        """Delete a dropped space's collection; returns how many points it had."""
        if dropped.dimensions is None:  # nothing was ever written
            return 0
        points = PointStore(self._client, dropped.collection, dropped.dimensions)
        there = points.total()
        points.drop()
        TurnPoints(self._client, dropped.collection, dropped.dimensions).drop()
        return there

    def _known(self, *, fresh: bool = False) -> list[Space]:
        if fresh or time.monotonic() - self._read_at > FRESH_SECONDS:
            began = time.monotonic()
            self._rows = self._read()
            self._read_at = began
        return self._rows

    def _read(self) -> list[Space]:
        database = self._database()
        with database.reading() as connection:
            rows = spaces.undropped(connection)
        if not rows or rows[0].state is not SpaceState.ACTIVE:
            settings = self._settings
            dimensions = dimensions_of(settings, settings.embedding.model)
            with database.writing() as connection:
                model, name = settings.embedding.model, collection_name(settings)
                spaces.adopt(connection, model, name, dimensions)
                rows = spaces.undropped(connection)
        self._warn(rows[0])
        return rows

    def _warn(self, active: Space) -> None:
        if active.model != self._settings.embedding.model and not self._warned:
            self._warned = True
            logger.warning(
                "spaces.other_model",
                used=active.model,
                setting=self._settings.embedding.model,
                remedy=f"`flotilla models migrate {self._settings.embedding_model_name}` changes "
                f"the model; EMBEDDING_MODEL={active.model} is what is in use.",
            )

    def _space(self, row: Space) -> VectorSpace:
        return VectorSpace(row, self._client, lambda: self._embedder(row))

    # --- their models ----------------------------------------------------------------------

    def load(self) -> dict[str, str]:
        """Load the models of all spaces that are not loaded yet, and forget those of dropped ones.

        Returns:
            of each model that it is ready, or why it is not.
        """
        rows = self._known(fresh=True)
        found: dict[str, str] = {}
        for row in rows:
            try:
                self._embedder(row, look=True)
            except FlotillaError as error:
                found[row.model] = error.message
            else:
                found[row.model] = READY
        self._models.keep(found)
        return found

    def load_at_start(self, *, writes: bool) -> None:
        """Load what a worker cannot do without, and keep up with changes from now on.

        That is the models of all spaces that are written for a worker that writes, and of one
        to answer from for another. A ledger that is out of reach is waited for later, as by any
        task.

        Raises:
            ModelMissing: a model that is in use is not on this machine.
            FileCorrupt: it is damaged.
        """
        try:
            needed = self.writable(fresh=True) if writes else [self.readable(fresh=True)]
            for space in needed:
                space.embedder.embed_query("warm up")
        except DependencyUnavailable as error:
            logger.warning("spaces.ledger_unavailable", error=error.message)
        threading.Thread(target=self._keep_up, name="spaces", daemon=True).start()

    def _keep_up(self) -> None:
        # A model is there before the first question needs it, and shown to whoever switches.
        while True:
            try:
                show(models=self.load())
            except Exception as error:  # noqa: BLE001 - the next look is in a second
                logger.debug("spaces.not_read", error=str(error))
            time.sleep(LOOK_SECONDS)

    def _embedder(self, row: Space, *, look: bool = False) -> Embedder:
        return self._models.get(row.model, lambda: self._loaded(row), look=look)

    def _loaded(self, row: Space) -> Embedder:
        try:
            embedder = self._load(row.model)
        except ModelMissing:
            raise ModelMissing(
                f"The embedding model {row.name} is not on this machine; run `flotilla models pull "
                f"{row.name}` here."
            ) from None
        if row.dimensions is not None and embedder.dimensions != row.dimensions:
            raise ConfigurationError(
                f"The embedding model {row.name} gives {embedder.dimensions} dimensions here, and "
                f"its points have {row.dimensions}; run `flotilla models pull {row.name}` again."
            )
        return embedder
