"""Settings of the search on the web, for what the documents do not hold."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from flotilla.settings.addresses import ModelURL
from flotilla.settings.base import CommaSeparated, group_config


class WebSettings(BaseSettings):
    """The search on the web through Tavily; without a key nothing is searched there."""

    model_config = group_config("FLOTILLA_WEB_")

    api_key: SecretStr | None = Field(
        None,
        validation_alias="TAVILY_API_KEY",
        description="Key for Tavily. With it, the modes `crag` and `react` search there for what "
        "the documents do not answer: `crag` sends the question, `react` what its model asks "
        "after it has read in them. Without it, nothing is sent.",
    )
    base_url: ModelURL | None = Field(
        None, description="Address of a server that speaks Tavily's protocol; Tavily's own else."
    )
    results: int = Field(5, ge=1, le=20, description="Pages that one search brings, at most.")
    depth: Literal["basic", "advanced"] = Field(
        "basic", description="How thoroughly Tavily searches; `advanced` costs twice as much."
    )
    include_domains: CommaSeparated = Field(
        (), description="Domains that alone are searched, comma separated; all when not set."
    )
    exclude_domains: CommaSeparated = Field(
        (), description="Domains that are never searched, comma separated."
    )
    timeout: float = Field(10.0, gt=0, le=120, description="Seconds that one search may take.")
