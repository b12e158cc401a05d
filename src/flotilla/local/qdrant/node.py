"""A Qdrant for one machine: the part of its REST API that Flotilla uses, over its own engine.

    python -m flotilla.local.qdrant_node --data DIR --host 127.0.0.1 --port 6333

Fleets talk to it with `qdrant-client`, as they would to a server. What it does not implement it
answers with 501 and the name of what is missing, in Qdrant's form of an error.
"""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from flotilla.errors import FlotillaError
from flotilla.local.qdrant.errors import Unimplemented
from flotilla.local.qdrant.optimizer import DUE_POINTS, Optimizer
from flotilla.local.qdrant.points import encode
from flotilla.local.qdrant.requests import QUICK, REQUESTS, Call, Handler
from flotilla.local.qdrant.store import Store
from flotilla.logging import configure_logging, get_logger
from flotilla.settings import get_settings

logger = get_logger(__name__)

API_VERSION = "1.20.0"
"""The version of Qdrant's REST API that is spoken; clients compare their own with it."""

GRACE_SECONDS = 2  # for requests under way when the node is told to stop


def _envelope(started: float, status: Any, result: Any) -> bytes:
    body = {"result": result, "status": status, "time": time.perf_counter() - started}
    return orjson.dumps(body, default=encode)


def _answer(handler: Handler, call: Call, started: float) -> Response:
    """Run one request in a thread of the pool, decoding and encoding included."""
    try:
        code, content = 200, _envelope(started, "ok", handler(call))
    except FlotillaError as error:
        code, content = error.status, _envelope(started, {"error": error.message}, None)
    except Exception as error:
        logger.exception("qdrant_request_failed")
        message = f"Service internal error: {type(error).__name__}: {error}"
        code, content = 500, _envelope(started, {"error": message}, None)
    return Response(content, code, media_type="application/json")


class _Endpoints:
    """Runs requests in the threads of a pool, and a quick one on the spot where it is alone.

    The way into a thread and back takes a third of the time of a search. While a search runs on
    the spot no request begins, so that one that meets another one waiting goes to the pool.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._under_way = 0

    def endpoint(self, handler: Handler) -> Any:
        is_quick = handler in QUICK

        async def endpoint(request: Request) -> Response:
            started = time.perf_counter()
            content = await request.body()
            call = Call(self._store, request.path_params, request.query_params, content)
            self._under_way += 1
            try:
                if is_quick:
                    await asyncio.sleep(0)  # whatever came at the same time is counted, too
                    if self._under_way == 1:
                        return _answer(handler, call, started)
                return await run_in_threadpool(_answer, handler, call, started)
            finally:
                self._under_way -= 1

        return endpoint


async def _version(_: Request) -> Response:
    body = {"title": "qdrant - vector search engine", "version": API_VERSION, "commit": None}
    return Response(orjson.dumps(body), media_type="application/json")


async def _healthy(request: Request) -> Response:
    return PlainTextResponse(f"{request.url.path.strip('/')} check passed")


async def _unimplemented(request: Request, _: Exception) -> Response:
    error = Unimplemented(f"{request.method} {request.url.path}")
    content = _envelope(time.perf_counter(), {"error": error.message}, None)
    return Response(content, error.status, media_type="application/json")


def create_app(store: Store, optimizer: Optimizer) -> Starlette:
    """The ASGI application over a store, which it closes when the server stops."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        optimizer.start()
        yield
        await run_in_threadpool(optimizer.stop)
        await run_in_threadpool(store.close)

    routes = [Route("/", _version, methods=["GET"])]
    routes += [Route(f"/{name}", _healthy) for name in ("healthz", "readyz", "livez")]
    endpoints = _Endpoints(store)
    routes += [
        Route(path, endpoints.endpoint(handler), methods=[method])
        for method, path, handler in REQUESTS
    ]
    return Starlette(
        routes=routes,
        lifespan=lifespan,
        # No route, or none for this method: nothing that the node knows of.
        exception_handlers={404: _unimplemented, 405: _unimplemented},
    )


def main(arguments: list[str] | None = None) -> int:
    """Run the node until SIGTERM or SIGINT.

    Returns:
        the exit code: 0 after a stop that was asked for, 1 when the node could not start.
    """
    parser = argparse.ArgumentParser(prog="qdrant_node", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=6333)
    parser.add_argument(
        "--optimize-after",
        type=int,
        default=DUE_POINTS,
        help="points written that make an optimisation worth while",
    )
    options = parser.parse_args(arguments)
    configure_logging(get_settings())
    try:
        store = Store(options.data.absolute())
    except FlotillaError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    app = create_app(store, Optimizer(store, options.optimize_after))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=options.host,
            port=options.port,
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    # uvicorn raises the signal that stopped it once more; by then everything is closed.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    logger.info("qdrant_node_started", host=options.host, port=options.port)
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
