"""Searching the web, for what the documents do not hold: through Tavily, whose key switches it on.

What is found is a passage like any other: graded, quoted word for word, and never obeyed.
"""

import uuid
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

from flotilla.deadlines import Deadline, wait_for
from flotilla.errors import WebSearchUnavailable
from flotilla.logging import get_logger
from flotilla.models import Passage
from flotilla.rag.llm.breaker import Breaker
from flotilla.rag.untrusted import visible
from flotilla.settings import WebSettings

logger = get_logger(__name__)

COLLECTION = "web"
"""What a page of the web names as its collection."""

LONGEST_TEXT = 4000
"""Characters of a page that are kept: Tavily gives the stretches that fit the question."""

LONGEST_NAME = 200

LEAST_SECONDS = 0.1
"""With less left than that, nobody is asked."""


class SearchWeb(Protocol):
    """Finds pages of the web on a question, the best first."""

    def __call__(self, question: str, seconds: float, /) -> list[Passage]: ...


class TavilySearch:
    """Searches the web through Tavily; safe between threads.

    Args:
        settings: the key, and how it is searched.
        breaker: of the fleet, so that a Tavily that is away costs few answers its timeout.
    """

    def __init__(self, settings: WebSettings, breaker: Breaker) -> None:
        self._settings = settings
        self._breaker = breaker
        self._key = f"tavily:{settings.base_url or ''}"

    def __call__(self, question: str, seconds: float) -> list[Passage]:
        """Pages on a question, the best first.

        Raises:
            WebSearchUnavailable: there are none to be had within `seconds`.
        """
        if seconds < LEAST_SECONDS:
            raise WebSearchUnavailable("The time of this answer is over.")
        longest = min(seconds, self._settings.timeout)
        permit = self._breaker.allow(self._key, longest)
        if not permit.allowed:
            raise WebSearchUnavailable(
                "The search on the web failed several times in a row and is not asked for a while.",
                retry_after=permit.wait,
            )
        healthy: bool | None = None
        try:
            found = self._search(question, longest)
            healthy = True
        except WebSearchUnavailable as error:
            # What our own budget cut short says nothing of Tavily.
            cut_short = error.details.get("late") and longest < self._settings.timeout
            healthy = None if error.details.get("refused") or cut_short else False
            raise
        finally:
            self._breaker.record(permit, healthy=healthy)
        return [page for page in map(_passage, found) if page is not None]

    def _search(self, question: str, seconds: float) -> list[Mapping[str, Any]]:
        # Imported here: only a fleet with a key needs it.
        from requests import RequestException
        from tavily import errors

        try:
            # Its timeout counts from byte to byte.
            reply = wait_for(lambda: self._ask(question, seconds), Deadline(seconds))
        except (TimeoutError, errors.TimeoutError):
            raise WebSearchUnavailable(
                f"Tavily did not answer within {seconds:.3g} seconds.", late=True
            ) from None
        except errors.InvalidAPIKeyError:
            raise WebSearchUnavailable(
                "Tavily does not know the key: check TAVILY_API_KEY.", refused=True
            ) from None
        except (errors.UsageLimitExceededError, errors.ForbiddenError):
            raise WebSearchUnavailable(
                "Tavily allows this key no more searches now: look at its plan and limits.",
                refused=True,
            ) from None
        except errors.BadRequestError:
            raise WebSearchUnavailable("Tavily refused the search.", refused=True) from None
        except (RequestException, ValueError) as error:
            # Without the cause: its text may name the address with what it holds.
            logger.warning("web_search_failed", error=type(error).__name__)
            raise WebSearchUnavailable("Tavily could not be reached, or failed.") from None
        results = reply.get("results") if isinstance(reply, dict) else None
        return [each for each in results or () if isinstance(each, dict)]

    def _ask(self, question: str, seconds: float) -> Any:
        from tavily import TavilyClient

        settings = self._settings
        assert settings.api_key is not None  # noqa: S101 - without one nothing is searched
        # One for each search: a `requests` session is not made for several threads.
        with TavilyClient(
            settings.api_key.get_secret_value(), api_base_url=settings.base_url
        ) as client:
            return client.search(
                question,
                search_depth=settings.depth,
                max_results=settings.results,
                include_domains=settings.include_domains or None,
                exclude_domains=settings.exclude_domains or None,
                timeout=seconds,
            )


def _passage(result: Mapping[str, Any]) -> Passage | None:
    """A result as a passage; None where it has no text or no address that a reader can open."""
    url = visible(str(result.get("url") or ""))
    text = visible(str(result.get("content") or "")).strip()
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or not text:
        return None
    page = str(uuid.uuid5(uuid.NAMESPACE_URL, url))
    text = text[:LONGEST_TEXT]
    name = " ".join(visible(str(result.get("title") or "")).split())[:LONGEST_NAME]
    score = result.get("score")
    return Passage(
        chunk_id=page,
        document_id=page,
        document_name=name or parts.hostname,
        version_id=page,
        collection=COLLECTION,
        position=0,
        text=text,
        start=0,
        end=len(text),
        page_start=None,
        page_end=None,
        score=float(score) if isinstance(score, int | float) else 0.0,
        url=url,
    )
