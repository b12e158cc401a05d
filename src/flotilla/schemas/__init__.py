"""What goes over the wire: the bodies of the HTTP API, shared by the gateway and the client.

Pydantic models alone, so that the client can be installed without the gateway. Requests refuse
unknown fields, since a misspelt field that is silently ignored is a wrong answer later; responses
allow them, so that an older client can talk to a newer gateway.
"""

from flotilla.schemas.base import (
    COLLECTION_NAME,
    DEEPEST_JSON,
    DEFAULT_COLLECTION,
    LONGEST_METADATA_KEY,
    Listing,
    Request,
    Response,
    check_metadata,
    check_text,
)
from flotilla.schemas.batches import (
    BatchRequest,
    BatchResult,
    DuplicateMember,
    FailedMember,
    Refusal,
    RefusalsRequest,
)
from flotilla.schemas.caches import (
    CacheCounts,
    CachesCleared,
    CachesState,
    WarmRequest,
)
from flotilla.schemas.collections import (
    Collection,
    CollectionRequest,
)
from flotilla.schemas.conversations import (
    ChatRequest,
    ChatResponse,
    Conversation,
    ConversationMessages,
    ConversationPatch,
    Message,
)
from flotilla.schemas.documents import (
    Document,
    DocumentAccepted,
    DocumentChunk,
    DocumentsAccepted,
    DocumentState,
    DocumentStatus,
    PipelineRequest,
)
from flotilla.schemas.events import (
    TaskEvent,
    TaskEventName,
)
from flotilla.schemas.fleets import (
    DependencyHealth,
    FleetsInfo,
    Health,
    Queue,
    Readiness,
    Worker,
)
from flotilla.schemas.models import (
    MigrationRequest,
    ModelSpace,
    ModelSpaces,
)
from flotilla.schemas.problems import (
    FieldError,
    Problem,
)
from flotilla.schemas.questions import (
    AnswerResponse,
    QuestionRequest,
    SearchResponse,
)
from flotilla.schemas.smoke import (
    AddRequest,
    ChainRequest,
    DivideRequest,
    ParallelRequest,
    ProcessRequest,
    SmokeRequest,
)
from flotilla.schemas.sweeps import (
    BlobFindings,
    DocumentFindings,
    IncompleteDocument,
    PointFindings,
    SweepReport,
    SweepRequest,
    TurnFindings,
)
from flotilla.schemas.tasks import (
    Progress,
    Retried,
    RetryRefused,
    RetryRequest,
    Task,
    TaskAccepted,
    TaskError,
    TaskFailure,
    TaskKind,
    TaskStatus,
)
from flotilla.schemas.webhooks import (
    Callback,
    Delivery,
    DeliveryAttempt,
    DeliveryState,
    SigningSecret,
    Webhook,
    WebhookCreated,
    WebhookEvent,
    WebhookRequest,
)

__all__ = [
    "COLLECTION_NAME",
    "DEEPEST_JSON",
    "DEFAULT_COLLECTION",
    "LONGEST_METADATA_KEY",
    "AddRequest",
    "AnswerResponse",
    "BatchRequest",
    "BatchResult",
    "BlobFindings",
    "CacheCounts",
    "CachesCleared",
    "CachesState",
    "Callback",
    "ChainRequest",
    "ChatRequest",
    "ChatResponse",
    "Collection",
    "CollectionRequest",
    "Conversation",
    "ConversationMessages",
    "ConversationPatch",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryState",
    "DependencyHealth",
    "DivideRequest",
    "Document",
    "DocumentAccepted",
    "DocumentChunk",
    "DocumentFindings",
    "DocumentState",
    "DocumentStatus",
    "DocumentsAccepted",
    "DuplicateMember",
    "FailedMember",
    "FieldError",
    "FleetsInfo",
    "Health",
    "IncompleteDocument",
    "Listing",
    "Message",
    "MigrationRequest",
    "ModelSpace",
    "ModelSpaces",
    "ParallelRequest",
    "PipelineRequest",
    "PointFindings",
    "Problem",
    "ProcessRequest",
    "Progress",
    "QuestionRequest",
    "Queue",
    "Readiness",
    "Refusal",
    "RefusalsRequest",
    "Request",
    "Response",
    "Retried",
    "RetryRefused",
    "RetryRequest",
    "SearchResponse",
    "SigningSecret",
    "SmokeRequest",
    "SweepReport",
    "SweepRequest",
    "Task",
    "TaskAccepted",
    "TaskError",
    "TaskEvent",
    "TaskEventName",
    "TaskFailure",
    "TaskKind",
    "TaskStatus",
    "TurnFindings",
    "WarmRequest",
    "Webhook",
    "WebhookCreated",
    "WebhookEvent",
    "WebhookRequest",
    "Worker",
    "check_metadata",
    "check_text",
]
