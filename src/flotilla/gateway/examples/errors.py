"""Examples of what is refused, or cannot be done now."""

from flotilla.errors import (
    AnswerTimeout,
    BatchClosed,
    CachesOff,
    CallbackRefused,
    CollectionExists,
    CollectionNotFound,
    Conflict,
    ConversationNotFound,
    ConverterUnavailable,
    DeliveryNotFound,
    DependencyUnavailable,
    DocumentNotFound,
    FileTooLarge,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    PageNotFound,
    PathNotAllowed,
    QuestionEmpty,
    TaskNotFound,
    WebhookNotFound,
)
from flotilla.gateway.examples.subjects import (
    BATCH,
    CONVERSATION,
    DELIVERY,
    DOCUMENT,
    QUESTION_TASK,
    SPACE,
    START,
    TASK,
    WEBHOOK,
)

CACHES_OFF = CachesOff("There are no caches here: set FLOTILLA_CACHE_URL to a Redis for them.")
CACHES_AWAY = DependencyUnavailable(
    "The Redis of the caches does not answer: questions are answered without them meanwhile; "
    "check FLOTILLA_CACHE_URL and the server.",
    retry_after=5,
)
NO_DOCUMENT = DocumentNotFound(
    f"There is no document {DOCUMENT!r}: GET /documents lists what there is."
)
NO_PAGE = PageNotFound("The document has 7 pages, and no page 8: ask for one of 1 to 7.")
OFF_THE_PAGE = InvalidRequest(
    f"The page is the characters {START - 20:,} to {START + 1184:,} of the document's text: choose "
    "a start between them, or leave it out.",
    field="start",
)
NO_BATCH = TaskNotFound(f"There is no batch {BATCH!r}: open one with POST /batches.", field="batch")
BATCH_CLOSED = BatchClosed(
    "This batch is closed and takes no more documents: open another with POST /batches.",
    field="batch",
)
NOT_LIVE = Conflict(
    "No version of this document is live yet: wait until it is ingested, or retry its task."
)
FULL = Overloaded(
    "100,000 ingestions are waiting, which is the most: try again in 12 s.", retry_after=12
)
BUSY = Overloaded(
    "1,000 questions are waiting, which is the most: try again in 2 s.", retry_after=2
)
FULL_OF_TESTS = Overloaded(
    "1,000 smoke tests are waiting, and 1,000 are the most: try again in 2 s.", retry_after=2
)
NO_TASK = TaskNotFound(f"There is no task {TASK!r}: GET /tasks lists what there is.")
NO_WEBHOOK = WebhookNotFound(f"There is no webhook {WEBHOOK!r}: GET /webhooks lists what there is.")
NO_DELIVERY = DeliveryNotFound(
    f"There is no delivery {DELIVERY!r}: GET /webhooks/{{webhook_id}}/deliveries and "
    "GET /tasks/{task_id}/deliveries list what there is."
)
NO_MODEL = ModelNotFound(f"There is no model space {SPACE!r}: GET /models lists what there is.")
MIGRATION_RUNNING = Conflict(
    f"A change of the embedding model is under way: follow or cancel task {TASK}.", task_id=TASK
)
BAD_MODEL = InvalidRequest("String should match the name of a model", field="model")
TASK_OVER = Conflict("This task is completed already: there is nothing to cancel.")
NO_ANSWER = Conflict(f"A task of the kind ingest has no answer: follow it at /tasks/{TASK}/events.")
BEING_SENT = Conflict(f"The delivery {DELIVERY} is being sent just now: look again soon.")
ENOUGH_WEBHOOKS = Conflict("There are 20 webhooks, which is the most: delete one first.")
PRIVATE_CALLBACK = CallbackRefused(
    "localhost may not be called: it leads to a private or reserved address. Give a public one, or "
    "set FLOTILLA_WEBHOOK_ALLOW_PRIVATE.",
    field="callback_url",
)
NO_CONVERTER = ConverterUnavailable(
    "No worker can read documents with llamaparse: install the extra `llamaparse` on the workers "
    "of the document fleet and set LLAMA_CLOUD_API_KEY there, or leave the field out.",
    field="converter",
)
NO_CONVERSATION = ConversationNotFound(
    f"There is no conversation {CONVERSATION!r}: leave conversation_id out to begin one; "
    "GET /conversations lists what there is."
)
NO_COLLECTION = CollectionNotFound(
    "There is no collection named 'contracts': create it with POST /collections, or leave the "
    "field out to use 'default'.",
    field="collection",
)
NO_COLLECTION_HERE = CollectionNotFound(
    "There is no collection named 'contracts': create it with POST /collections, or see with GET "
    "/collections what there is."
)
COLLECTION_THERE = CollectionExists(
    "A collection named 'contracts' exists already: choose another name.", field="name"
)
BAD_FIELD = InvalidRequest("Extra inputs are not permitted", field="topk")
BAD_PARAMETER = InvalidRequest("Input should be less than or equal to 500", field="limit")
BAD_EVENT_ID = InvalidRequest(
    "No event of an answer has the id 'nonsense': send the id of the last event as it was told, or "
    "leave Last-Event-ID out to begin anew.",
    field="Last-Event-ID",
)
BAD_TASK_EVENT_ID = InvalidRequest(
    "No event of a task has the id 'nonsense': send the id of the last event as it was told, or "
    "leave Last-Event-ID out to be told the present state.",
    field="Last-Event-ID",
)
BAD_MODE = InvalidRequest("Input should be 'practice' or 'quiz'", field="mode")
NO_FILE = InvalidRequest(
    "There is no file in the request: send one or more parts named `files`.", field="files"
)
EMPTY_QUESTION = QuestionEmpty(
    "The question is empty: send the text to be answered.", field="question"
)
BODY_TOO_LARGE = FileTooLarge(
    "The body is larger than 16,777,216 bytes: send long texts as a file to POST /documents."
)
UPLOAD_TOO_LARGE = FileTooLarge(
    "price-list.pdf is larger than the 209,715,200 bytes that are allowed: split it, or raise "
    "FLOTILLA_GATEWAY_MAX_UPLOAD_BYTES.",
    field="files",
)
OUTSIDE = PathNotAllowed(
    "The path leads outside the folder that is open to ingestion: send one below it.", field="path"
)
LATE = AnswerTimeout(
    f"The answer was not ready in time: its task goes on, poll it at /tasks/{QUESTION_TASK}.",
    task_id=QUESTION_TASK,
)
OUT_OF_REACH = DependencyUnavailable("Redis does not answer: try again.", retry_after=1)
DELETION_UNSENT = DependencyUnavailable(
    "The deletion is written and will be carried out; the broker does not answer now.",
    task_id=TASK,
)
