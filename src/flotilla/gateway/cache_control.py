"""What a request's `Cache-Control` asks of the caches."""

from typing import Annotated, Any

from fastapi import Depends, Header

from flotilla.cache_use import CachePolicy


def policy_of(header: str | None) -> CachePolicy:
    """`no-store` neither reads nor writes, `no-cache` writes alone, `max-age` says how old what is
    read may be. What means nothing here is passed over, as RFC 9111 has it."""
    directives: dict[str, str] = {}
    for part in (header or "").split(","):
        name, _, value = part.partition("=")
        directives[name.strip().casefold()] = value.strip().strip('"')
    seconds = directives.get("max-age", "")
    max_age = float(seconds) if seconds.isascii() and seconds.isdigit() else None
    no_store = "no-store" in directives
    return CachePolicy(
        reads=not (no_store or "no-cache" in directives or max_age == 0),
        writes=not no_store,
        max_age=max_age,
    )


async def cache_policy(
    cache_control: Annotated[
        str | None,
        Header(
            max_length=1000,
            description="`no-cache`: answer anew, and keep that. `no-store`: neither take from "
            "the caches nor keep. `max-age=N`: take nothing older than N seconds.",
        ),
    ] = None,
) -> dict[str, Any]:
    """The policy as a job's payload has it; empty where the request asks for nothing."""
    return policy_of(cache_control).model_dump(exclude_defaults=True)


CachePolicyDep = Annotated[dict[str, Any], Depends(cache_policy)]
