"""Settings of what all fleets share: jobs, webhooks, the embedding model and Qdrant."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from flotilla.settings.addresses import ModelURL, QdrantURL
from flotilla.settings.base import group_config

PROVIDERS = ("fastembed", "openai")
"""Where embedding models run: on this machine, or on a server."""


class JobSettings(BaseSettings):
    """Attempts and retries of jobs, and how long they are kept."""

    model_config = group_config("FLOTILLA_JOB_")

    max_attempts: int = Field(
        6, ge=1, description="Attempts at one stage before the job fails for good."
    )
    max_outage_attempts: int = Field(
        1000,
        ge=1,
        description="Attempts at one stage that a part of the system which is out of reach, such "
        "as Qdrant, may cost before the job fails.",
    )
    max_kills: int = Field(
        2,
        ge=1,
        description="Crashes, time limits and memory limits of its process after which a document "
        "is quarantined.",
    )
    max_losses: int = Field(
        8,
        ge=1,
        description="Workers that may vanish for reasons of their own, such as a machine that goes "
        "away, with one and the same step before its job fails.",
    )
    lease_seconds: float = Field(
        12.0,
        gt=0,
        description="Seconds after which a worker that has not renewed its lease is taken for "
        "dead; it renews it three times as often.",
    )
    grace_seconds: float = Field(
        6.0,
        gt=0,
        description="Seconds that a message may take from its sending to its beginning, its time "
        "in a queue not counted, before it is taken for lost.",
    )
    stall_seconds: float = Field(
        600.0,
        gt=0,
        description="Seconds for which a task of a fleet whose tasks run in threads may show no "
        "sign of progress before it is taken for stuck: another worker goes on with its work, and "
        "its own is started anew. The document fleet has time limits.",
    )
    in_flight: int = Field(
        0,
        ge=0,
        description="Ingestions that the fleets work on at once, while the rest waits in the "
        "ledger; 0 for four a process of the document and vectorstore fleets, at least 32.",
    )
    parts_in_flight: int = Field(
        0,
        ge=0,
        description="Page ranges or batches of one document that are sent at once, so that a long "
        "one leaves room; 0 for four a process of their fleet, at least 16, which the documents "
        "that are at that stage share.",
    )
    backoff_base: float = Field(
        2.0, gt=0, description="Seconds of the first back-off; doubled at each attempt."
    )
    backoff_cap: float = Field(60.0, gt=0, description="Longest back-off in seconds.")
    retention_days: int = Field(
        30, ge=1, description="Days for which ended jobs stay in the ledger."
    )


class WebhookSettings(BaseSettings):
    """Webhooks and callback URLs."""

    model_config = group_config("FLOTILLA_WEBHOOK_")

    secret: SecretStr | None = Field(
        None,
        min_length=16,
        description="What `callback_url` deliveries of all tenants are signed with; one made for "
        "each tenant when it is not set.",
    )
    allow_private: bool = Field(
        False, description="Whether private and loopback addresses may be called."
    )
    timeout: float = Field(
        10.0, gt=0, le=120, description="Seconds in which a receiver has to answer."
    )
    backoff_base: float = Field(
        5.0, gt=0, description="Seconds of the first back-off; doubled at each attempt."
    )
    backoff_cap: float = Field(3600.0, gt=0, description="Longest back-off in seconds.")
    give_up_after: float = Field(
        86_400.0, ge=0, le=2_592_000, description="Seconds for which a delivery is tried."
    )
    concurrency: int = Field(
        16, ge=1, description="Deliveries at once of one default worker, beside its tasks."
    )


class QdrantSettings(BaseSettings):
    """The vector store."""

    model_config = group_config("FLOTILLA_QDRANT_")

    url: QdrantURL = Field(
        "http://127.0.0.1:6333", validation_alias="QDRANT_URL", description="Address of Qdrant."
    )
    api_key: SecretStr | None = Field(
        None, validation_alias="QDRANT_API_KEY", description="Key of the Qdrant server, if any."
    )
    collection: str = Field(
        "flotilla", description="Prefix of the Qdrant collections that Flotilla keeps."
    )
    timeout: float = Field(30.0, gt=0, description="Seconds that a request to Qdrant may take.")


class EmbeddingSettings(BaseSettings):
    """The embedding model."""

    model_config = group_config("FLOTILLA_EMBEDDING_")

    model: str = Field(
        "fastembed:sentence-transformers/all-MiniLM-L6-v2",
        validation_alias="EMBEDDING_MODEL",
        description="Embedding model: `fastembed:NAME` on this machine, or `openai:NAME` on a "
        "server that speaks OpenAI's protocol.",
    )
    base_url: ModelURL | None = Field(
        None, description="Address of the server of `openai:` models; LLM_BASE_URL when not set."
    )
    api_key: SecretStr | None = Field(
        None,
        description="Key for that server; OPENAI_API_KEY when neither it nor the address is set.",
    )
    dimensions: int | None = Field(
        None,
        gt=0,
        description="Dimensions that are asked of an `openai:` model which can be shortened; as "
        "many as it has when not set.",
    )
    max_tokens: int = Field(
        8191, gt=0, description="Longest text that an `openai:` model takes, in tokens."
    )
    timeout: float = Field(
        30.0, gt=0, description="Seconds that one request to an `openai:` model may take."
    )
    models_dir: Path = Field(
        Path("~/.cache/flotilla/models"),
        description="Folder in which `flotilla models pull` lays the embedding model.",
    )
    hub: bool = Field(
        True, description="Whether `flotilla models pull` tries the public model hub first."
    )

    @field_validator("model")
    @classmethod
    def _has_a_provider(cls, model: str) -> str:
        provider, _, name = model.partition(":")
        if provider not in PROVIDERS or not name:
            raise ValueError("it has to be of the form fastembed:NAME or openai:NAME")
        return model
