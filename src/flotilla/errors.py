"""Every error that a user can meet: its code, its HTTP status and whether trying again may help.

An error is raised with one sentence for the user. The gateway renders it as problem+json
(RFC 9457); a fleet writes it into the job as stage, code and sentence. A class's docstring is
the title of its problem.
"""

from typing import Any, ClassVar


class FlotillaError(Exception):
    """The request could not be carried out.

    Args:
        message: one sentence for the user: what is wrong and what to do.
        field: the request's field at fault, dotted (`metadata.year`), or None.
        retry_after: seconds after which another try makes sense, or None.
        details: further members of the problem document.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        retry_after: float | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.retry_after = retry_after
        self.details = details

    @classmethod
    def title(cls) -> str:
        """The docstring's first line, without its full stop."""
        return (cls.__doc__ or cls.__name__).strip().splitlines()[0].rstrip(".")


# --- the request ---------------------------------------------------------------------------


class InvalidRequest(FlotillaError):
    """The request is not of the form that this endpoint takes."""

    code, status = "invalid_request", 422


class InvalidName(FlotillaError):
    """The name cannot be used."""

    code, status = "invalid_name", 422


class QuestionEmpty(FlotillaError):
    """The question is empty."""

    code, status = "question_empty", 422


class QuestionTooLong(FlotillaError):
    """The question is longer than allowed."""

    code, status = "question_too_long", 422


class NotFound(FlotillaError):
    """There is nothing at this address."""

    code, status = "not_found", 404


class TaskNotFound(NotFound):
    """There is no task with this id."""

    code = "task_not_found"


class DocumentNotFound(NotFound):
    """There is no document with this id."""

    code = "document_not_found"


class PageNotFound(NotFound):
    """The document has no such page."""

    code = "page_not_found"


class CollectionNotFound(NotFound):
    """There is no collection with this name."""

    code = "collection_not_found"


class ModelNotFound(NotFound):
    """There is no embedding model with this id."""

    code = "model_not_found"


class ConversationNotFound(NotFound):
    """There is no conversation with this id."""

    code = "conversation_not_found"


class CollectionExists(FlotillaError):
    """A collection with this name exists already."""

    code, status = "collection_exists", 409


class Conflict(FlotillaError):
    """The state of the resource does not allow this."""

    code, status = "conflict", 409


class CachesOff(Conflict):
    """There are no caches."""

    code = "caches_off"


class BatchClosed(Conflict):
    """The batch takes no more documents."""

    code = "batch_closed"


class Overloaded(FlotillaError):
    """More work is waiting than is taken."""

    code, status, retryable = "overloaded", 503, True


class AnswerTimeout(FlotillaError):
    """The answer was not ready in time."""

    code, status, retryable = "answer_timeout", 504, True


class PathNotAllowed(FlotillaError):
    """The path is not below the folder that is open to ingestion."""

    code, status = "path_not_allowed", 403


class WebhookNotFound(NotFound):
    """There is no webhook with this id."""

    code = "webhook_not_found"


class DeliveryNotFound(NotFound):
    """There is no delivery with this id."""

    code = "delivery_not_found"


class CallbackRefused(FlotillaError):
    """The address may not be called."""

    code, status = "callback_refused", 422


# --- a document ----------------------------------------------------------------------------


class EmptyFile(FlotillaError):
    """The file is empty."""

    code, status = "empty_file", 422


class FileTooLarge(FlotillaError):
    """The file is larger than allowed."""

    code, status = "file_too_large", 413


class UnsupportedType(FlotillaError):
    """The file is of a type that cannot be read."""

    code, status = "unsupported_type", 415


class FileCorrupt(FlotillaError):
    """The file is damaged or not what its name says."""

    code, status = "file_corrupt", 422


class FileEncrypted(FlotillaError):
    """The file is encrypted and needs a password."""

    code, status = "file_encrypted", 422


class WrongPassword(FlotillaError):
    """The password does not open the file."""

    code, status = "wrong_password", 422


class NoText(FlotillaError):
    """The document holds no text."""

    code, status = "no_text", 422


class ArchiveTooLarge(FlotillaError):
    """The file unpacks to more than is allowed."""

    code, status = "archive_too_large", 422


class InvalidEncoding(FlotillaError):
    """The text is not valid UTF-8."""

    code, status = "invalid_encoding", 422


class ConverterUnavailable(FlotillaError):
    """The converter that was chosen is not set up."""

    code, status = "converter_unavailable", 422


class TooManyPages(FlotillaError):
    """The document has more pages than allowed."""

    code, status = "too_many_pages", 422


# --- a source on the web -------------------------------------------------------------------


class SourceNotFound(FlotillaError):
    """The address holds no document."""

    code, status = "source_not_found", 422


class SourceRefused(FlotillaError):
    """The address may not be fetched."""

    code, status = "source_refused", 422


class SourceUnavailable(FlotillaError):
    """The address did not answer."""

    code, status, retryable = "source_unavailable", 502, True


class SourceTimeout(FlotillaError):
    """The address did not deliver the document in time."""

    code, status = "source_timeout", 422


# --- what Flotilla stands on ---------------------------------------------------------------


class DependencyUnavailable(FlotillaError):
    """A part of the system is out of reach."""

    code, status, retryable = "dependency_unavailable", 503, True


class ModelUnavailable(FlotillaError):
    """The model's provider did not answer."""

    code, status, retryable = "model_unavailable", 503, True


class ModelRejected(FlotillaError):
    """The model's provider refused the request."""

    code, status = "model_rejected", 502


class WebSearchUnavailable(FlotillaError):
    """The search on the web brought nothing."""

    code, status, retryable = "web_search_unavailable", 503, True


class BudgetSpent(FlotillaError):
    """The answer's budget is spent.

    Its detail `which` says what ran out, `time` or `tokens`.
    """

    code, status = "budget_spent", 504

    @property
    def which(self) -> str:
        """What ran out, `time` or `tokens`."""
        return str(self.details.get("which", ""))


class ModelMissing(FlotillaError):
    """The embedding model is not on this machine."""

    code, status = "model_missing", 503


class TimeLimit(FlotillaError):
    """The work took longer than allowed."""

    code, status = "time_limit", 500


class WorkerLost(FlotillaError):
    """The worker died while it had this task."""

    code = "worker_lost"


class OutOfMemory(FlotillaError):
    """The work took more memory than allowed."""

    code = "out_of_memory"


class Crashed(FlotillaError):
    """The process that worked on this crashed."""

    code = "crashed"


class Quarantined(FlotillaError):
    """The document ended its worker more than once and was set aside."""

    code = "quarantined"


class Cancelled(FlotillaError):
    """The task was cancelled."""

    code, status = "cancelled", 409


class LeaseLost(FlotillaError):
    """Another worker has taken this job over.

    Never shown to a user: it tells a late worker to stop without a trace.
    """

    code, status = "lease_lost", 409


class SweepRefused(FlotillaError):
    """The sweep found a store that is not this ledger's."""

    code, status = "sweep_refused", 409


class ConfigurationError(FlotillaError):
    """A setting has a wrong value."""

    code = "configuration_error"


class DataSetInvalid(FlotillaError):
    """The data set cannot be evaluated."""

    code, status = "data_set_invalid", 422


class ExtraMissing(FlotillaError):
    """What this needs is not installed."""

    code = "extra_missing"


class StackFailed(FlotillaError):
    """The stack on this machine could not do this."""

    code, status = "stack_failed", 503
