"""Flotilla's HTTP API as typed Python calls, blocking (`Flotilla`) and for asyncio
(`AsyncFlotilla`).

    with Flotilla("http://127.0.0.1:8000") as flotilla:
        [accepted] = flotilla.upload("terms.pdf", collection="contracts")
        flotilla.wait(accepted.task_id, timeout=120)
        print(flotilla.ask("How long is the warranty?", collections=["contracts"]).text)
"""

from flotilla.client.answer_events import (
    AnswerEvent,
    AnswerStream,
    AsyncAnswerStream,
    CitationEvent,
    DoneEvent,
    TokenEvent,
    TraceEvent,
)
from flotilla.client.asynchronous import AsyncFlotilla
from flotilla.client.blocking import Flotilla
from flotilla.client.errors import (
    ClientError,
    FlotillaAPIError,
    GatewayUnreachable,
    SourceChanged,
    UnexpectedReply,
    WaitTimeout,
)

__all__ = [
    "AnswerEvent",
    "AnswerStream",
    "AsyncAnswerStream",
    "AsyncFlotilla",
    "CitationEvent",
    "ClientError",
    "DoneEvent",
    "Flotilla",
    "FlotillaAPIError",
    "GatewayUnreachable",
    "SourceChanged",
    "TokenEvent",
    "TraceEvent",
    "UnexpectedReply",
    "WaitTimeout",
]
