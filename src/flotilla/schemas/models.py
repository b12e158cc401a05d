"""Embedding models: which one answers, and the change from one to another."""

from datetime import datetime

from pydantic import Field

from flotilla.schemas.base import Request, Response
from flotilla.schemas.tasks import TaskStatus

MODEL_NAME = (
    r"^((fastembed|openai):)?[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?(@int8)?$"
)
PROVIDER = "fastembed:"


def with_provider(model: str) -> str:
    """The model with its provider, which is fastembed where none is named."""
    return model if ":" in model else PROVIDER + model


class ModelSpace(Response):
    """An embedding model, with the collection of its vectors."""

    space_id: str
    model: str = Field(examples=["sentence-transformers/all-MiniLM-L6-v2"])
    state: str = Field(
        description="preparing, filling, active (it answers) or standby (it has answered before, "
        "and is kept up to date).",
        examples=["active"],
    )
    collection: str = Field(description="The name in Qdrant.")
    dimensions: int | None = None
    points: int | None = Field(None, description="Null when Qdrant does not tell.")
    documents: int | None = Field(
        None, description="Documents that answer; while it is filled, those that have been written."
    )
    task_id: str | None = Field(None, description="The newest migration to it.")
    task_status: TaskStatus | None = None
    created_at: datetime
    switched_at: datetime | None = Field(
        None, description="When it last began or ceased to be the one that answers."
    )


class ModelSpaces(Response):
    """All of them, the one that answers first."""

    items: list[ModelSpace]


class MigrationRequest(Request):
    """The change to another embedding model."""

    model: str = Field(
        pattern=MODEL_NAME,
        max_length=200,
        description="A model of fastembed's, which the workers' machines have, or `openai:NAME` "
        "for one of a server's. `NAME@int8` is a model of fastembed's with weights of eight bits.",
        examples=["BAAI/bge-small-en-v1.5"],
    )
