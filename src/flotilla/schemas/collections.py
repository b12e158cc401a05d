"""Collections."""

from datetime import datetime

from pydantic import Field

from flotilla.schemas.base import COLLECTION_NAME, Request, Response


class CollectionRequest(Request):
    """A new collection."""

    name: str = Field(pattern=COLLECTION_NAME, examples=["contracts"])
    description: str | None = Field(None, max_length=2000)


class Collection(Response):
    """A named set of documents."""

    name: str
    description: str | None = None
    documents: int
    chunks: int
    created_at: datetime
