"""The FastAPI app and how it is served."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi_offline import FastAPIOffline

from flotilla import __version__
from flotilla.garbage_collection import settle_memory
from flotilla.gateway import examples, problems
from flotilla.gateway.backpressure import Backpressure
from flotilla.gateway.dependencies import open_services
from flotilla.gateway.middleware import BodyLimit, RequestId
from flotilla.gateway.routes import (
    batches,
    caches,
    collections,
    conversations,
    documents,
    events,
    exercises,
    health,
    models,
    questions,
    smoke,
    sources,
    streams,
    sweeps,
    tasks,
    uploads,
    webhooks,
)
from flotilla.logging import configure_logging
from flotilla.schemas import AnswerToken, BatchResult, Problem, TaskEvent
from flotilla.settings import Settings, get_settings

DESCRIPTION = """\
Hand Flotilla documents, ask it questions, and get answers with citations.

Work that takes time is accepted with **202** and a `task_id`; `GET /tasks/{task_id}` tells its
state, and with `?wait=30` it answers as soon as the task has ended. Errors are
`application/problem+json` with a stable `code`, the `request_id` and whether a retry may help.
"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """The gateway's app over the given settings, or the environment's."""
    chosen = settings or get_settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_services(chosen) as services:
            app.state.services = services
            settle_memory()
            yield

    app = FastAPIOffline(
        title="Flotilla",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        responses=problems.RESPONSES,
    )
    problems.install(app)
    for module in (
        uploads,
        documents,
        sources,
        batches,
        collections,
        questions,
        exercises,
        conversations,
        streams,
        caches,
        smoke,
        tasks,
        sweeps,
        events,
        webhooks,
        models,
        health,
    ):
        app.include_router(module.router)
    app.add_middleware(Backpressure)
    app.add_middleware(BodyLimit)
    if chosen.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(chosen.cors_origins),
            allow_methods=["*"],
            allow_headers=["*"],
        )
    app.add_middleware(RequestId)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's document, with the problems' schema in place of its own validation errors', and
    with examples."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    document = FastAPI.openapi(app)
    schemas = document["components"]["schemas"]
    for own in ("HTTPValidationError", "ValidationError"):
        schemas.pop(own, None)
    # Neither is the type of what a function returns, and so FastAPI does not know them.
    for model in (AnswerToken, BatchResult, Problem, TaskEvent):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    for path, operations in document["paths"].items():
        streamed = examples.STREAM_PARAMETERS if path.endswith("/stream") else {}
        for operation in operations.values():
            _give_examples(operation, examples.PARAMETERS | streamed)
    for name, schema in schemas.items():
        if name in examples.SCHEMAS:
            schema["examples"] = [examples.SCHEMAS[name]]
    schemas["Problem"]["examples"] = [problems.example(examples.EMPTY_QUESTION)]
    return document


def _give_examples(operation: dict[str, Any], parameters: dict[str, Any]) -> None:
    """Show an example of each parameter, of the body and of what is replied with it."""
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in parameters:
            parameter["example"] = parameters[parameter["name"]]
    for part in (operation.get("requestBody", {}), *operation["responses"].values()):
        media = part.get("content", {}).get("application/json")
        if media is not None and "example" not in media:
            name = media["schema"].get("$ref", "").rpartition("/")[2]
            if name in examples.SCHEMAS:
                media["example"] = examples.SCHEMAS[name]


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve the gateway in this process until it is told to stop."""
    # Whoever only wants the app does without the server.
    from flotilla.gateway.server import run

    configure_logging(settings)
    run(create_app(settings), host, port)
