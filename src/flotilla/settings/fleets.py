"""Settings of the gateway and of each fleet; each group has its own prefix."""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

from flotilla.settings.base import MEBIBYTE, cores, group_config
from flotilla.settings.converters import ConverterRules


class GatewaySettings(BaseSettings):
    """The HTTP gateway."""

    model_config = group_config("FLOTILLA_GATEWAY_")

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
    stream_grace: float = Field(
        30.0,
        gt=0,
        description="Seconds for which nobody may be reading a streamed answer before its run is "
        "cancelled; the rag fleet reads this too.",
    )
    max_pending_jobs: int = Field(
        100_000,
        gt=0,
        description="Ingestions, re-indexings and deletions that may be waiting or at work, the "
        "documents of a collection's re-indexing not counted; past that, submissions get 503 with "
        "Retry-After before their bodies are read.",
    )
    max_pending_queries: int = Field(
        1000,
        gt=0,
        description="Questions that may be waiting or at work; past that, further ones get 503 "
        "with Retry-After.",
    )
    max_pending_smoke_tests: int = Field(
        1000,
        gt=0,
        description="Smoke tests that may be waiting or at work; past that, further ones get 503 "
        "with Retry-After.",
    )


class DocumentSettings(BaseSettings):
    """The document fleet: fetch, convert, split."""

    model_config = group_config("FLOTILLA_DOCUMENT_")

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
    converters: ConverterRules = Field(
        (),
        description="Which converter reads what, where a request asks for none: rules such as "
        "`*.pdf=llamaparse` or `image/*=ocr` by a file's name or media type, separated by commas, "
        "of which the first that matches holds. Converters are `auto`, `pdfium`, `ocr` and "
        "`llamaparse`.",
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
    memory_limit: int = Field(
        2048 * MEBIBYTE,
        gt=0,
        description="Resident bytes at which a worker process ends its task as out of memory.",
    )
    max_tasks_per_child: int = Field(
        500, gt=0, description="Tasks after which a worker process is replaced."
    )

    @field_validator("chunk_overlap")
    @classmethod
    def _leaves_room(cls, overlap: int, info: ValidationInfo) -> int:
        size = info.data.get("chunk_tokens")
        if size is not None and overlap * 2 > size:
            raise ValueError(f"at most half of a chunk's {size} tokens may be shared")
        return overlap

    @field_validator("time_limit")
    @classmethod
    def _is_the_later(cls, limit: int, info: ValidationInfo) -> int:
        soft = info.data.get("soft_time_limit")
        if soft is not None and limit <= soft:
            raise ValueError(f"it has to be more than the soft limit of {soft} seconds")
        return limit


class ThreadedFleetSettings(BaseSettings):
    """What the fleets whose tasks run in threads have in common."""

    max_memory: int = Field(
        3072 * MEBIBYTE,
        gt=0,
        description="Resident bytes at which a worker ends after its tasks, to be started anew.",
    )
    max_tasks: int = Field(
        200_000, gt=0, description="Tasks after which a worker ends, to be started anew."
    )


class VectorstoreSettings(ThreadedFleetSettings):
    """The vectorstore fleet: embed, index, publish, remove."""

    model_config = group_config("FLOTILLA_VECTORSTORE_")

    chunks_per_batch: int = Field(
        64, gt=0, description="Chunks that one task of the fleet embeds and writes."
    )
    embedding_batch_tokens: int = Field(
        256,
        gt=0,
        description="Tokens that go through the model at once: chunks of like lengths, padding "
        "included.",
    )
    embedding_threads: int = Field(
        default_factory=cores,
        ge=1,
        description="Batches that the embedding model works on at once, each in one thread; the "
        "number of processors, divided by that of the fleet's workers that `flotilla up` starts.",
        json_schema_extra={"default_text": "number of processors"},
    )
    concurrency: int = Field(
        2,
        ge=1,
        description="Tasks at once of one vectorstore worker: one embeds while one writes.",
    )


class RagSettings(ThreadedFleetSettings):
    """The rag fleet: retrieve and answer."""

    model_config = group_config("FLOTILLA_RAG_")

    mode: Literal["simple", "crag", "react"] = Field(
        "simple",
        description="Graph that answers where a request names none: `simple`, `crag` or `react`.",
    )
    top_k: int = Field(5, ge=1, le=100, description="Passages that an answer rests on.")
    rewrites: int = Field(
        1,
        ge=0,
        le=5,
        description="Times that `crag` puts a question in other words and searches again.",
    )
    agent_calls: int = Field(
        8,
        ge=2,
        le=50,
        description="Calls of the model with which `react` looks for evidence, at most.",
    )
    budget_seconds: float = Field(
        90.0, gt=0, description="Seconds that all steps of one answer may take together."
    )
    budget_tokens: int = Field(
        50_000,
        gt=0,
        description="Tokens that the model calls of one answer may take together, prompts and "
        "replies.",
    )
    context_tokens: int = Field(
        3000,
        ge=100,
        description="Tokens of passages and earlier turns together that a chat's answer is written "
        "from, as the embedding model counts them.",
    )
    document_share: float = Field(
        0.7,
        ge=0,
        le=1,
        description="Share of these that is the passages'; the rest is that of earlier turns. What "
        "one side leaves unused the other may take.",
    )
    history_turns: int = Field(
        6,
        ge=0,
        le=100,
        description="Last turns of its conversation that a question is read together with.",
    )
    recalled_turns: int = Field(
        3,
        ge=0,
        le=100,
        description="Older turns of the same user, of any conversation, that are recalled for a "
        "question by their meaning.",
    )
    recall_similarity: float = Field(
        0.45,
        ge=-1,
        le=1,
        description="Cosine of a question and a turn below which the turn is not recalled; it "
        "depends on the embedding model.",
    )
    embedding_threads: int = Field(
        1, ge=1, description="Threads that embed one question; questions run side by side."
    )
    concurrency: int = Field(
        16, ge=1, description="Threads of one rag worker: questions answered at once."
    )
    stream_pause: float = Field(
        0.02,
        ge=0,
        le=1,
        description="Seconds within which tokens of a streamed answer are joined; the first one is "
        "never delayed.",
    )


class DefaultSettings(ThreadedFleetSettings):
    """The default fleet: finish, fail, beat's tasks, smoke tests."""

    model_config = group_config("FLOTILLA_DEFAULT_")

    concurrency: int = Field(4, ge=1, description="Threads of one default worker.")
