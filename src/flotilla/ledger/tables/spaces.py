"""Vector spaces."""

from datetime import datetime
from typing import cast

from sqlalchemy import (
    Index,
    String,
    text,
)
from sqlalchemy import Table as SQLTable
from sqlalchemy.orm import Mapped, mapped_column

from flotilla.ledger.tables.base import Id, Name, Table


class SpaceRow(Table):
    """An embedding model and the Qdrant collection of its vectors; exactly one space answers.

    `dimensions` is null until a worker has looked at the model. `switched_at` is when the space
    last began or ceased to be the one that answers.
    """

    __tablename__ = "spaces"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    model: Mapped[str] = mapped_column(Name)
    collection: Mapped[str] = mapped_column(Name, unique=True)
    dimensions: Mapped[int | None]
    state: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    switched_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "uq_spaces_active",
            "state",
            unique=True,
            sqlite_where=text("state = 'active'"),
            postgresql_where=text("state = 'active'"),
        ),
        # A model has one space at a time.
        Index(
            "uq_spaces_model",
            "model",
            unique=True,
            sqlite_where=text("state <> 'dropped'"),
            postgresql_where=text("state <> 'dropped'"),
        ),
    )


SPACES = cast("SQLTable", SpaceRow.__table__)
