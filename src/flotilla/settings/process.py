"""All settings of one process, and what follows from them."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from flotilla.settings.addresses import BlobURL, DatabaseURL, RedisURL
from flotilla.settings.base import CommaSeparated, group_config
from flotilla.settings.caching import CacheSettings
from flotilla.settings.converters import LlamaParseSettings, OCRSettings, PictureSettings
from flotilla.settings.fleets import (
    DefaultSettings,
    DocumentSettings,
    GatewaySettings,
    RagSettings,
    VectorstoreSettings,
)
from flotilla.settings.groups import (
    EmbeddingSettings,
    JobSettings,
    QdrantSettings,
    WebhookSettings,
)
from flotilla.settings.llm import LLMSettings
from flotilla.settings.retrieval import RetrievalSettings
from flotilla.settings.web import WebSettings

FLEETS = ("document", "vectorstore", "rag", "default")
"""Fleet = queue = task-name prefix = package folder = folder in `workers/`."""


class Settings(BaseSettings):
    """All settings of one process."""

    model_config = group_config("FLOTILLA_")

    data: Path = Field(
        Path(".flotilla"), description="Folder that holds the data of the local stack."
    )
    url: str | None = Field(
        None,
        description="Address of the gateway that the command line talks to; this machine's own "
        "when it is not set.",
    )
    redis_url: RedisURL = Field(
        "redis://127.0.0.1:6379/0",
        validation_alias="REDIS_URL",
        description="Redis of the queues; its maxmemory-policy has to be noeviction.",
    )
    database_url: DatabaseURL | None = Field(
        None,
        validation_alias="DATABASE_URL",
        description="Ledger's database; SQLite in the data folder when it is not set.",
    )
    blob_url: BlobURL | None = Field(
        None, description="Folder or s3:// address of the blobs; in the data folder when not set."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe level that is logged."
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="`console` for people, `json` for machines."
    )
    log_steps: bool = Field(
        False,
        description="Whether the end of each ingestion's task is logged with the seconds that its "
        "steps took, by the wall and of the processors.",
    )
    cors_origins: CommaSeparated = Field(
        (), description="Origins that browsers may call the gateway from, separated by commas."
    )

    gateway: GatewaySettings = Field(default_factory=GatewaySettings)
    document: DocumentSettings = Field(default_factory=DocumentSettings)
    ocr: OCRSettings = Field(default_factory=OCRSettings)
    llamaparse: LlamaParseSettings = Field(default_factory=LlamaParseSettings)
    pictures: PictureSettings = Field(default_factory=PictureSettings)
    vectorstore: VectorstoreSettings = Field(default_factory=VectorstoreSettings)
    rag: RagSettings = Field(default_factory=RagSettings)
    default: DefaultSettings = Field(default_factory=DefaultSettings)
    retrieval: RetrievalSettings = Field(default_factory=RetrievalSettings)
    job: JobSettings = Field(default_factory=JobSettings)
    webhook: WebhookSettings = Field(default_factory=WebhookSettings)
    qdrant: QdrantSettings = Field(default_factory=QdrantSettings)
    embedding: EmbeddingSettings = Field(default_factory=EmbeddingSettings)
    llm: LLMSettings = Field(default_factory=LLMSettings)
    cache: CacheSettings = Field(default_factory=CacheSettings)
    web: WebSettings = Field(default_factory=WebSettings)

    @property
    def data_dir(self) -> Path:
        """The data folder, absolute."""
        return self.data.expanduser().absolute()

    @property
    def ledger_url(self) -> str:
        """The database's address in SQLAlchemy's form."""
        if self.database_url is None:
            return f"sqlite:///{self.data_dir / 'ledger.sqlite'}"
        scheme, _, rest = self.database_url.partition("://")
        # Plain PostgreSQL addresses would pick a driver that is not installed.
        if scheme in ("postgres", "postgresql"):
            return f"postgresql+psycopg://{rest}"
        return self.database_url

    @property
    def blobs_url(self) -> str:
        """The blobs' address in fsspec's form."""
        return self.blob_url or f"file://{self.data_dir / 'blobs'}"

    @property
    def models_dir(self) -> Path:
        """The models' folder, absolute."""
        return self.embedding.models_dir.expanduser().absolute()

    @property
    def embedding_model_name(self) -> str:
        """The embedding model's name, without its provider where that is fastembed."""
        return self.embedding.model.removeprefix("fastembed:")

    @property
    def embedding_is_remote(self) -> bool:
        """Whether the embedding model is on a server, and nothing of it on this machine."""
        return not self.embedding.model.startswith("fastembed:")

    @property
    def embedding_model_folder(self) -> Path:
        """Where the embedding model's files lie: the models' folder, then the model's name with
        `--` for each slash. Its `tokenizer.json` is what every fleet counts tokens with."""
        return self.model_folder(self.embedding.model)

    def model_folder(self, model: str) -> Path:
        """Where the files of any embedding model lie, given as `fastembed:NAME`."""
        return self.models_dir / model.partition(":")[2].replace("/", "--")
