"""The only reader of the environment.

`get_settings()` gives the one `Settings` of the process. Each group reads variables with its
own prefix (`FLOTILLA_GATEWAY_PORT`) from the environment and from `.env`; a few variables bear
the names that people already have (`REDIS_URL`, `OPENAI_API_KEY`).
"""

import difflib
import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from flotilla.errors import ConfigurationError

FLEETS = ("document", "vectorstore", "rag", "default")
"""Fleet = queue = task-name prefix = package folder = folder in `workers/`."""

MEBIBYTE = 1024 * 1024

STACK_MARKER = "FLOTILLA_STACK"
"""Variable that every process of a local stack bears: the path of its data folder."""


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _group(prefix: str) -> SettingsConfigDict:
    return SettingsConfigDict(
        env_prefix=prefix,
        env_file=os.environ.get("FLOTILLA_ENV_FILE", ".env"),
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
    )


class GatewaySettings(BaseSettings):
    """The HTTP gateway."""

    model_config = _group("FLOTILLA_GATEWAY_")

    host: str = Field("127.0.0.1", description="Address that the gateway listens on.")
    port: int = Field(8000, ge=1, le=65535, description="Port that the gateway listens on.")
    max_upload_bytes: int = Field(
        200 * MEBIBYTE, gt=0, description="Largest file that may be uploaded, in bytes."
    )
    max_files_per_request: int = Field(
        1000, gt=0, description="Files that one upload request may carry."
    )
    max_question_chars: int = Field(
        4000, gt=0, description="Longest question that is taken, in characters."
    )
    sync_timeout: float = Field(
        60.0, gt=0, description="Seconds that a synchronous query waits before it answers 504."
    )
    max_wait: float = Field(
        60.0, gt=0, description="Longest `?wait=` of a task's long poll, in seconds."
    )
    threads: int = Field(16, gt=0, description="Threads for the ledger and the blobs.")


class DocumentSettings(BaseSettings):
    """The document fleet: fetch, convert, split."""

    model_config = _group("FLOTILLA_DOCUMENT_")

    chunk_tokens: int = Field(
        200,
        ge=16,
        description="Size of a chunk in the embedding model's tokens, special tokens excluded.",
    )
    chunk_overlap: int = Field(
        32, ge=0, description="Tokens that neighbouring chunks of one section share."
    )
    pages_per_range: int = Field(
        100, gt=0, description="Pages of a long PDF that one task of the fleet converts."
    )
    max_pages: int = Field(20_000, gt=0, description="Most pages that a document may have.")
    max_unpacked_bytes: int = Field(
        512 * MEBIBYTE, gt=0, description="Most bytes that a zipped document may unpack to."
    )
    fetch_timeout: float = Field(
        60.0, gt=0, description="Seconds in which a URL has to deliver its whole document."
    )
    fetch_allow_private: bool = Field(
        False, description="Whether URLs may lead to private and loopback addresses."
    )
    ingest_root: Path | None = Field(
        None,
        description="Folder below which `path` sources may be read; none when it is not set.",
    )
    concurrency: int = Field(
        default_factory=cores,
        ge=1,
        description="Worker processes of one document worker; the number of processors.",
        json_schema_extra={"default_text": "number of processors"},
    )
    soft_time_limit: int = Field(
        300, gt=0, description="Seconds after which a task of this fleet is told to stop."
    )
    time_limit: int = Field(
        330, gt=0, description="Seconds after which the process of a task is killed."
    )
    max_memory_per_child: int = Field(
        700 * 1024, gt=0, description="Resident KiB after which a worker process is replaced."
    )
    max_tasks_per_child: int = Field(
        500, gt=0, description="Tasks after which a worker process is replaced."
    )


class VectorstoreSettings(BaseSettings):
    """The vectorstore fleet: embed, index, publish, remove."""

    model_config = _group("FLOTILLA_VECTORSTORE_")

    chunks_per_batch: int = Field(
        64, gt=0, description="Chunks that one task of the fleet embeds and writes."
    )
    embedding_batch: int = Field(
        16, gt=0, description="Chunks that the model embeds at once, sorted by length."
    )
    embedding_threads: int = Field(
        default_factory=cores,
        ge=1,
        description="Threads of the embedding model; the number of processors.",
        json_schema_extra={"default_text": "number of processors"},
    )
    concurrency: int = Field(
        2,
        ge=1,
        description="Tasks at once of one vectorstore worker: one embeds while one writes.",
    )


class RagSettings(BaseSettings):
    """The rag fleet: retrieve and answer."""

    model_config = _group("FLOTILLA_RAG_")

    top_k: int = Field(5, ge=1, le=100, description="Passages that an answer rests on.")
    prefetch: int = Field(
        50, ge=1, description="Candidates that dense and BM25 search each hand to the fusion."
    )
    dense_weight: float = Field(
        0.7, ge=0, description="Weight of the dense ranks in the reciprocal rank fusion."
    )
    bm25_weight: float = Field(
        0.3, ge=0, description="Weight of the BM25 ranks in the reciprocal rank fusion."
    )
    rrf_k: int = Field(60, ge=1, description="The k of the reciprocal rank fusion.")
    embedding_threads: int = Field(
        1, ge=1, description="Threads that embed one question; questions run side by side."
    )
    concurrency: int = Field(
        16, ge=1, description="Threads of one rag worker: questions answered at once."
    )
    deadline: float = Field(
        60.0, gt=0, description="Seconds that the answering of one question may take."
    )


class DefaultSettings(BaseSettings):
    """The default fleet: finish, fail, beat's tasks, smoke tests."""

    model_config = _group("FLOTILLA_DEFAULT_")

    concurrency: int = Field(4, ge=1, description="Threads of one default worker.")


class JobSettings(BaseSettings):
    """Leases, attempts and retries of jobs."""

    model_config = _group("FLOTILLA_JOB_")

    max_attempts: int = Field(
        5, ge=1, description="Attempts at one stage before the job fails for good."
    )
    backoff_base: float = Field(
        1.0, gt=0, description="Seconds of the first back-off; doubled at each attempt."
    )
    backoff_cap: float = Field(60.0, gt=0, description="Longest back-off in seconds.")
    lease_seconds: float = Field(
        15.0, gt=0, description="Seconds that a lease holds unless its worker renews it."
    )
    retention_days: int = Field(
        30, ge=1, description="Days for which ended jobs stay in the ledger."
    )


class QdrantSettings(BaseSettings):
    """The vector store."""

    model_config = _group("FLOTILLA_QDRANT_")

    url: str = Field(
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

    model_config = _group("FLOTILLA_EMBEDDING_")

    model: str = Field(
        "fastembed:sentence-transformers/all-MiniLM-L6-v2",
        validation_alias="EMBEDDING_MODEL",
        description="Embedding model, as `fastembed:NAME`.",
    )
    models_dir: Path = Field(
        Path("~/.cache/flotilla/models"),
        description="Folder in which `flotilla models pull` lays the embedding model.",
    )
    hub: bool = Field(
        True, description="Whether `flotilla models pull` tries the public model hub first."
    )


class LLMSettings(BaseSettings):
    """The language model; without one, answers are extractive."""

    model_config = _group("FLOTILLA_LLM_")

    model: str = Field(
        "extractive",
        validation_alias="LLM_MODEL",
        description="`extractive`, or a LangChain model string such as `openai:gpt-4o-mini`.",
    )
    base_url: str | None = Field(
        None,
        validation_alias="LLM_BASE_URL",
        description="Address of an OpenAI-compatible server; the provider's own when not set.",
    )
    api_key: SecretStr | None = Field(
        None, validation_alias="OPENAI_API_KEY", description="Key for the language model."
    )
    timeout: float = Field(30.0, gt=0, description="Seconds that one call of the model may take.")
    max_tokens: int = Field(800, gt=0, description="Most tokens that the model may answer with.")
    temperature: float = Field(0.0, ge=0, le=2, description="Sampling temperature of the model.")


class Settings(BaseSettings):
    """All settings of one process."""

    model_config = _group("FLOTILLA_")

    data: Path = Field(
        Path(".flotilla"), description="Folder that holds the data of the local stack."
    )
    url: str | None = Field(
        None,
        description="Address of the gateway that the command line talks to; this machine's own "
        "when it is not set.",
    )
    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        validation_alias="REDIS_URL",
        description="Redis of the queues; its maxmemory-policy has to be noeviction.",
    )
    database_url: str | None = Field(
        None,
        validation_alias="DATABASE_URL",
        description="Ledger's database; SQLite in the data folder when it is not set.",
    )
    blob_url: str | None = Field(
        None, description="Folder or s3:// address of the blobs; in the data folder when not set."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe level that is logged."
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="`console` for people, `json` for machines."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins that browsers may call the gateway from, separated by commas."
    )

    gateway: GatewaySettings = Field(default_factory=GatewaySettings)
    document: DocumentSettings = Field(default_factory=DocumentSettings)
    vectorstore: VectorstoreSettings = Field(default_factory=VectorstoreSettings)
    rag: RagSettings = Field(default_factory=RagSettings)
    default: DefaultSettings = Field(default_factory=DefaultSettings)
    job: JobSettings = Field(default_factory=JobSettings)
    qdrant: QdrantSettings = Field(default_factory=QdrantSettings)
    embedding: EmbeddingSettings = Field(default_factory=EmbeddingSettings)
    llm: LLMSettings = Field(default_factory=LLMSettings)

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_commas(cls, value: Any) -> Any:
        return tuple(filter(None, value.split(","))) if isinstance(value, str) else value

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
        """The embedding model's name without its provider.

        Raises:
            ConfigurationError: the provider is not `fastembed`.
        """
        provider, _, name = self.embedding.model.partition(":")
        if provider != "fastembed" or not name:
            raise ConfigurationError(
                "EMBEDDING_MODEL has to be of the form `fastembed:NAME` "
                f"(it is {self.embedding.model!r})."
            )
        return name

    @property
    def embedding_model_folder(self) -> Path:
        """Where the embedding model's files lie: the models' folder, then the model's name with
        `--` for each slash. Its `tokenizer.json` is what every fleet counts tokens with."""
        return self.models_dir / self.embedding_model_name.replace("/", "--")


def variable_name(group: type[BaseSettings], name: str) -> str:
    """The environment variable that sets a group's field."""
    alias = group.model_fields[name].validation_alias
    prefix = group.model_config.get("env_prefix", "")
    return alias if isinstance(alias, str) else f"{prefix}{name}".upper()


def variables() -> Iterator[tuple[type[BaseSettings], str, FieldInfo]]:
    """Every variable as (group, name in the environment, field), in the order of definition."""
    for name, field in Settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseSettings):
            for inner, inner_field in kind.model_fields.items():
                yield kind, variable_name(kind, inner), inner_field
        else:
            yield Settings, variable_name(Settings, name), field


def load_settings() -> Settings:
    """Read the environment.

    Raises:
        ConfigurationError: a value is wrong; its one line names the variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        group = next((kind for kind, _, _ in variables() if kind.__name__ == error.title), Settings)
        field = str(first["loc"][0]) if first["loc"] else ""
        names = {variable_name(group, n): n for n in group.model_fields}
        variable = field if field in names else variable_name(group, field)
        given = "" if "secret" in str(first["input"]).lower() else f" (it is {first['input']!r})"
        raise ConfigurationError(f"{variable}: {first['msg']}{given}") from None


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings, read once."""
    return load_settings()


def child_environment(changes: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with changes, for a process that it starts."""
    return {**os.environ, **changes}


def unknown_variables() -> dict[str, str | None]:
    """Names that begin with FLOTILLA_, are set, and mean nothing; each with the nearest that does.

    Looks at the environment and at `.env`.

    Raises:
        OSError: `.env` is there and cannot be read.
    """
    known = {STACK_MARKER, "FLOTILLA_ENV_FILE"} | {name for _, name, _ in variables()}
    for group in {group for group, _, _ in variables()}:
        # A field with a name of its own, such as REDIS_URL, answers to the prefixed one too.
        prefix = group.model_config.get("env_prefix", "")
        known |= {f"{prefix}{field}".upper() for field in group.model_fields}
    given = {name.upper() for name in {**os.environ, **_dotenv()}}
    unknown = sorted(name for name in given - known if name.startswith("FLOTILLA_"))
    return {
        name: next(iter(difflib.get_close_matches(name, sorted(known), 1)), None)
        for name in unknown
    }


def _dotenv() -> dict[str, str | None]:
    path = Path(os.environ.get("FLOTILLA_ENV_FILE", ".env"))
    return dotenv_values(path) if path.exists() else {}
