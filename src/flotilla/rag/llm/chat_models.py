"""Chat models, built from the settings."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flotilla.errors import ConfigurationError
from flotilla.rag.llm.failures import failure
from flotilla.rag.llm.roles import Candidate
from flotilla.rag.llm.thoughts import without_thoughts
from flotilla.settings import LLMSettings

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, BaseMessage

KEYLESS = "none"
"""What is sent as the key to a server of one's own that asks for none."""


_OPENAI_HOSTS = (".openai.com", ".azure.com")
_OPENAI_NAMES = ("openai:", "gpt-", "o1", "o3", "o4")


def build_chat_model(settings: LLMSettings, name: str | None = None) -> "BaseChatModel":
    """The chat model of a model string; that of `LLM_MODEL` when none is given.

    It never retries by itself: attempts and their pauses belong to its caller.

    Raises:
        ConfigurationError: the name is not understood, its package is not installed, or a key is
            missing.
    """
    from langchain.chat_models import init_chat_model

    from flotilla.bounded_network import bound_client

    options: dict[str, Any] = {
        "timeout": settings.timeout,
        "max_retries": 0,
        "max_tokens": settings.max_tokens,
        "temperature": settings.temperature,
    }
    name, provider, setting = name or settings.model, None, "LLM_MODEL"
    if name != settings.model:
        setting = "A model of the FLOTILLA_LLM settings"
    if settings.base_url is not None:
        options["base_url"] = settings.base_url
        if not _names_provider(name):
            provider = "openai"
    openai = provider == "openai" or name.startswith(_OPENAI_NAMES)
    if openai:
        key = settings.api_key.get_secret_value() if settings.api_key is not None else None
        if key is None and settings.base_url is None:
            raise ConfigurationError(
                f"{setting} is {name!r} but OPENAI_API_KEY is not set: set it, or set LLM_BASE_URL "
                "for a server that needs none."
            )
        options["api_key"] = key or KEYLESS
        options["stream_usage"] = True
        options["http_client"] = bound_client(settings.base_url, settings.timeout)
        if settings.base_url is not None:
            # Compatible servers have chat completions; few have OpenAI's newer protocol.
            options["use_responses_api"] = False
            if not (urlsplit(settings.base_url).hostname or "").endswith(_OPENAI_HOSTS):
                # LangChain would send `max_completion_tokens`, which some of them ignore and
                # others refuse.
                options["extra_body"] = {"max_tokens": options.pop("max_tokens")}
    try:
        model: BaseChatModel = init_chat_model(name, model_provider=provider, **options)
    except ImportError:
        package = f"langchain-{name.partition(':')[0].replace('_', '-')}"
        raise ConfigurationError(
            f"{setting} is {name!r}, whose LangChain integration is not installed: install "
            f"{package}."
        ) from None
    except ValueError as error:
        raise ConfigurationError(
            f"{setting} is {name!r}, which is no model that can be used: write it as "
            f"`provider:model`, such as `openai:gpt-4o-mini` ({type(error).__name__})."
        ) from None
    return model


def _names_provider(name: str) -> bool:
    """Whether a model string begins with a provider, and not with a model's own name: a server
    of one's own may well call a model `llama3:8b`."""
    prefix, colon, _ = name.partition(":")
    module = f"langchain_{prefix}"
    return bool(colon) and module.isidentifier() and find_spec(module) is not None


def candidate(settings: LLMSettings, name: str, *, fallback: bool = False) -> Candidate:
    """A model that may be asked; one of the fallback chain may be at an address of its own.

    Raises:
        ConfigurationError: as `build_chat_model`.
    """
    from langchain_openai import ChatOpenAI

    if fallback and settings.fallback_base_url is not None and _at_own_address(name):
        # With its own key or none: the other server's is none of its business.
        settings = settings.model_copy(
            update={"base_url": settings.fallback_base_url, "api_key": settings.fallback_api_key}
        )
    chat = build_chat_model(settings, name)
    bounded = isinstance(chat, ChatOpenAI)
    return Candidate(
        name=name,
        address=settings.base_url if bounded else None,
        chat=chat,
        bounded=bounded,
        price=settings.prices.get(name),
    )


def _at_own_address(name: str) -> bool:
    return name.startswith("openai:") or not _names_provider(name)


def complete(model: "BaseChatModel", messages: Sequence["BaseMessage"]) -> "AIMessage":
    """The reply of a single request, without what a reasoning model thinks to itself.

    Tracing to LangSmith is off, whatever the environment says: users' documents go to the model
    that they chose and to nobody else.

    Raises:
        ModelUnavailable: no connection, no reply in time, too many requests (429) or a failure
            of the provider (5xx); `retry_after` is what the provider asked for.
        ModelRejected: the provider refused the request, or what it sent is not a reply.
    """
    from langsmith import tracing_context

    try:
        with tracing_context(enabled=False):
            return without_thoughts(model.invoke(list(messages)))
    except Exception as error:  # noqa: BLE001 - every provider has exceptions of its own
        # Without the cause: its text may hold the key, and the traceback would be logged.
        raise failure(error) from None
