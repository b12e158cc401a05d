"""Remembering turns of conversations, and recalling those that bear on a question.

A turn is embedded as one point: the question as it stands alone, and the answer. It is written by
the worker that answered, once the turn is in the ledger; a point that got lost, and those that
another embedding model had written, are found in the ledger and made up for (`remember_lost`). The
ledger alone knows the texts, and says of every point that is found whether its turn is still there.
"""

import re
from collections.abc import Callable, Sequence
from datetime import timedelta

from flotilla.ledger import turns
from flotilla.ledger.database import Database
from flotilla.ledger.spaces import SpaceState
from flotilla.ledger.turns import OwnedTurn
from flotilla.models import Turn
from flotilla.rag.text.terms import coverage, terms, weights
from flotilla.settings import RagSettings, RetrievalSettings
from flotilla.vectorstore.bm25 import Bm25Encoder
from flotilla.vectorstore.hybrid_collection import Fusion
from flotilla.vectorstore.spaces import VectorSpace
from flotilla.vectorstore.turn_points import TurnPoint

CANDIDATES = 4
"""Turns that are looked at for each one that may be recalled."""

COVERED = 0.6
"""Share of a question's terms, by weight, which a turn that is not near enough by its meaning may
have in place of that."""

PIECE = 64
"""Turns that are made up for at once."""

_MARK = re.compile(r"(?:(?<!\s)\s+)?\[\d+\]")


class Memory:
    """Earlier turns by their meaning. Safe to share between threads.

    Args:
        database: the ledger.
        space: gives the space that answers.
        bm25: makes the sparse vectors.
        settings: the fleet's.
        retrieval: says how the two searches for turns are fused.
    """

    def __init__(
        self,
        database: Callable[[], Database],
        space: Callable[[], VectorSpace],
        bm25: Bm25Encoder,
        settings: RagSettings,
        retrieval: RetrievalSettings,
    ) -> None:
        self._database = database
        self._space = space
        self._bm25 = bm25
        self._settings = settings
        self._retrieval = retrieval

    def recall(
        self,
        tenant_id: str,
        user_id: str,
        question: str,
        limit: int,
        without: Sequence[Turn] = (),
    ) -> list[Turn]:
        """The user's turns, of any conversation, that bear on a question, best first.

        A turn does that which is near by its meaning, or shares most of the question's words.

        Args:
            tenant_id: whose they are.
            user_id: the same; others' turns are never found.
            question: as it stands alone.
            limit: most turns to return.
            without: turns that are at hand already.

        Raises:
            DependencyUnavailable: Qdrant or the ledger is out of reach.
        """
        if limit == 0:
            return []
        space = self._space()
        near = space.turns.nearest(
            tenant_id,
            user_id,
            space.embedder.embed_query(question),
            self._bm25.encode_query(question),
            Fusion(
                prefetch=self._retrieval.prefetch,
                k=self._retrieval.rrf_k,
                dense_weight=self._retrieval.dense_weight,
                bm25_weight=self._retrieval.bm25_weight,
            ),
            CANDIDATES * limit,
            without=[turn.id for turn in without],
        )
        if not near:
            return []
        with self._database().reading() as connection:
            there = turns.of_ids(connection, tenant_id, user_id, [found.id for found in near])
        similar = {found.id: found.similarity for found in near}
        found = [there[each.id] for each in near if each.id in there]
        asked = terms(question)
        said = {turn.id: terms(_text(turn)) for turn in found}
        weight = weights(said.values())
        return [
            turn
            for turn in found
            if similar[turn.id] >= self._settings.recall_similarity
            or (asked and coverage(asked, said[turn.id], weight) >= COVERED)
        ][:limit]

    def remember(self, turn_id: str) -> None:
        """Write the point of a turn that is in the ledger."""
        with self._database().reading() as connection:
            found = turns.get(connection, turn_id)
        if found is not None:
            self._write(self._space(), [found])

    def remember_lost(
        self, alive: Callable[[], object], older_than: timedelta = turns.LOST_AFTER
    ) -> int:
        """Write the points that are missing from the space which answers; how many there were.

        Args:
            alive: called after each piece.
            older_than: the age from which a turn without a point has lost it.
        """
        written = 0
        while True:
            space = self._space()
            if space.row.state is not SpaceState.ACTIVE:  # this machine lacks the model of that one
                return written
            with self._database().reading() as connection:
                lost = turns.unremembered(connection, space.id, older_than=older_than, limit=PIECE)
            if not lost:
                return written
            self._write(space, lost)
            written += len(lost)
            alive()

    def _write(self, space: VectorSpace, found: Sequence[OwnedTurn]) -> None:
        texts = [_text(each.turn) for each in found]
        points = [
            TurnPoint(each.turn.id, each.tenant_id, each.user_id, each.turn.conversation_id)
            for each in found
        ]
        space.turns.upsert(
            points, space.embedder.embed_passages(texts), self._bm25.encode_passages(texts)
        )
        with self._database().writing() as connection:
            there = turns.mark_remembered(connection, [point.id for point in points], space.id)
        # Whoever deletes a conversation changes the ledger first and removes its points then; here
        # they are written first, and the ledger is asked then. One of the two removes them.
        for point in points:
            if point.id not in there:
                space.turns.remove(point.tenant_id, [point.id])


def _text(turn: Turn) -> str:
    """What a turn is found by."""
    return f"{turn.standalone}\n{_MARK.sub('', turn.answer)}"
