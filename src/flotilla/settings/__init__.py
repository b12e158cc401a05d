"""The only reader of the environment.

`get_settings()` gives the one `Settings` of the process. Each group reads variables with its
own prefix (`FLOTILLA_GATEWAY_PORT`) from the environment and from `.env`; a few variables bear
the names that people already have (`REDIS_URL`, `OPENAI_API_KEY`).
"""

from flotilla.settings.base import cores
from flotilla.settings.caching import CacheSettings
from flotilla.settings.converters import (
    CONVERTERS,
    LlamaParseSettings,
    OCRSettings,
    PictureSettings,
)
from flotilla.settings.environment import (
    STACK_MARKER,
    child_environment,
    get_settings,
    load_settings,
    unknown_variables,
    variable_name,
    variables,
)
from flotilla.settings.fleets import (
    DefaultSettings,
    DocumentSettings,
    GatewaySettings,
    RagSettings,
    ThreadedFleetSettings,
    VectorstoreSettings,
)
from flotilla.settings.groups import (
    EmbeddingSettings,
    JobSettings,
    QdrantSettings,
    WebhookSettings,
)
from flotilla.settings.llm import AFTER_MODELS, CACHED, EXTRACTIVE, LLMSettings, Price
from flotilla.settings.process import FLEETS, Settings
from flotilla.settings.retrieval import RetrievalSettings
from flotilla.settings.web import WebSettings

__all__ = [
    "AFTER_MODELS",
    "CACHED",
    "CONVERTERS",
    "EXTRACTIVE",
    "FLEETS",
    "STACK_MARKER",
    "CacheSettings",
    "DefaultSettings",
    "DocumentSettings",
    "EmbeddingSettings",
    "GatewaySettings",
    "JobSettings",
    "LLMSettings",
    "LlamaParseSettings",
    "OCRSettings",
    "PictureSettings",
    "Price",
    "QdrantSettings",
    "RagSettings",
    "RetrievalSettings",
    "Settings",
    "ThreadedFleetSettings",
    "VectorstoreSettings",
    "WebSettings",
    "WebhookSettings",
    "child_environment",
    "cores",
    "get_settings",
    "load_settings",
    "unknown_variables",
    "variable_name",
    "variables",
]
