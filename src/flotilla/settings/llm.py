"""Settings of the language models: which, at what price, and what is done when one fails."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode

from flotilla.settings.addresses import ModelURL
from flotilla.settings.base import CommaSeparated, group_config

EXTRACTIVE, CACHED = "extractive", "cached"

AFTER_MODELS = (CACHED, EXTRACTIVE)
"""Words of the fallback chain that name no model."""

_FORM = (
    "it has to be extractive or PROVIDER:NAME, such as openai:gpt-4o-mini, unless LLM_BASE_URL "
    "names a server"
)


class Price(BaseModel):
    """What a million tokens cost, in the currency of the table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0)
    output: float = Field(ge=0)


class LLMSettings(BaseSettings):
    """The language model; without one, answers are extractive."""

    model_config = group_config("FLOTILLA_LLM_")

    base_url: ModelURL | None = Field(
        None,
        validation_alias="LLM_BASE_URL",
        description="Address of an OpenAI-compatible server; the provider's own when not set.",
    )
    model: str = Field(
        EXTRACTIVE,
        validation_alias="LLM_MODEL",
        description="`extractive`, or a LangChain model string such as `openai:gpt-4o-mini`.",
    )
    api_key: SecretStr | None = Field(
        None, validation_alias="OPENAI_API_KEY", description="Key for the language model."
    )
    grade_model: str | None = Field(
        None, description="Model that grades passages; LLM_MODEL when not set."
    )
    rewrite_model: str | None = Field(
        None, description="Model that rewrites questions; LLM_MODEL when not set."
    )
    vision_model: str | None = Field(
        None,
        description="Model that describes the pictures of documents, of a server that speaks "
        "OpenAI's protocol; when not set, no picture is sent anywhere.",
    )
    timeout: float = Field(
        30.0,
        gt=0,
        description="Seconds that one request to the model may take, from its first byte to its "
        "last, streams included.",
    )
    stream_silence: float = Field(
        15.0, gt=0, description="Seconds that may pass between two pieces of a streamed reply."
    )
    max_tokens: int = Field(800, gt=0, description="Most tokens that the model may answer with.")
    temperature: float = Field(0.0, ge=0, le=2, description="Sampling temperature of the model.")
    structured: Literal["auto", "json_schema", "function_calling", "json_mode"] = Field(
        "auto",
        description="How objects are asked for: `json_schema`, `function_calling`, `json_mode`, or "
        "`auto` for the first of them that the server takes.",
    )
    attempts: int = Field(
        3, ge=1, le=10, description="Requests that one call makes to the same model at most."
    )
    backoff_base: float = Field(
        0.5,
        gt=0,
        description="Seconds below which the first pause between attempts lies; doubled "
        "at each one.",
    )
    backoff_cap: float = Field(
        4.0, gt=0, description="Longest pause between two attempts, in seconds."
    )
    retry_after_cap: float = Field(
        10.0,
        ge=0,
        description="Longest Retry-After of a provider that is waited for, in seconds; where it "
        "asks for more, the next model of the chain is asked at once.",
    )
    breaker_failures: int = Field(
        5,
        ge=0,
        description="Failures of a model within the window after which the fleet no longer asks "
        "it; 0 to go on asking.",
    )
    breaker_window: float = Field(
        30.0, gt=0, description="Seconds within which those failures have to lie."
    )
    breaker_open: float = Field(
        20.0,
        gt=0,
        description="Seconds for which such a model is not asked; then one request of the whole "
        "fleet tries it.",
    )
    requests_per_minute: int = Field(
        0, ge=0, description="Requests a minute that the fleet sends to one provider; 0 for any."
    )
    tokens_per_minute: int = Field(
        0, ge=0, description="Tokens a minute that the fleet sends to one provider; 0 for any."
    )
    fallbacks: CommaSeparated = Field(
        (),
        description="What stands in for a model that fails, comma separated, in this order: other "
        "models, then `cached` for an earlier answer to the question, then `extractive` for "
        "sentences of the passages.",
    )
    fallback_base_url: ModelURL | None = Field(
        None,
        validate_default=True,
        description="Address of the `openai:` models of the chain; LLM_BASE_URL when not set.",
    )
    fallback_api_key: SecretStr | None = Field(
        None, description="Key for FLOTILLA_LLM_FALLBACK_BASE_URL."
    )
    prices: Annotated[dict[str, Price], NoDecode] = Field(
        {},
        description="Price of a million tokens by model, as JSON: "
        '`{"openai:gpt-4o-mini": {"input": 0.15, "output": 0.60}}`.',
    )

    @field_validator("model", "grade_model", "rewrite_model", "vision_model")
    @classmethod
    def _can_be_served(cls, model: str | None, info: ValidationInfo) -> str | None:
        # A server of one's own takes any name; otherwise the provider has to be told.
        known = model is None or model == EXTRACTIVE or all(model.partition(":"))
        if not known and info.data.get("base_url") is None:
            raise ValueError(_FORM)
        return model

    @field_validator("fallbacks")
    @classmethod
    def _words_come_last(cls, chain: tuple[str, ...]) -> tuple[str, ...]:
        words = [AFTER_MODELS.index(entry) + 1 if entry in AFTER_MODELS else 0 for entry in chain]
        if words != sorted(words):
            raise ValueError("`cached` and then `extractive` have to stand behind the models")
        return chain

    @field_validator("fallback_base_url")
    @classmethod
    def _fallbacks_can_be_served(cls, address: str | None, info: ValidationInfo) -> str | None:
        named = address or info.data.get("base_url")
        for entry in info.data.get("fallbacks", ()):
            if entry not in AFTER_MODELS and not all(entry.partition(":")) and named is None:
                raise ValueError(
                    "a model of FLOTILLA_LLM_FALLBACKS has to be PROVIDER:NAME, such as "
                    "openai:gpt-4o-mini, unless this or LLM_BASE_URL names a server"
                )
        return address

    @field_validator("prices", mode="before")
    @classmethod
    def _read_prices(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            raise ValueError(
                'it has to be JSON such as {"openai:gpt-4o-mini": {"input": 0.15, "output": 0.6}}'
            ) from None
