"""Errors as application/problem+json (RFC 9457)."""

import math
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from flotilla.errors import FlotillaError, InvalidRequest
from flotilla.logging import get_logger
from flotilla.schemas import Problem, TaskError

logger = get_logger(__name__)

MEDIA_TYPE = "application/problem+json"

RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "The request is at fault.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
    "5XX": {
        "description": "Flotilla is at fault, or a part of it is out of reach.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
}


def problem(
    request: Request,
    *,
    code: str,
    status: int,
    title: str,
    detail: str,
    retryable: bool = False,
    retry_after: float | None = None,
    **members: Any,
) -> JSONResponse:
    """A problem document for this request."""
    body = Problem(
        title=title,
        status=status,
        detail=detail,
        instance=request.url.path,
        code=code,
        request_id=request.scope.get("request_id"),
        retryable=retryable,
        **members,
    )
    headers = {} if retry_after is None else {"Retry-After": str(math.ceil(retry_after))}
    return JSONResponse(
        body.model_dump(mode="json", exclude_none=True),
        status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )


def install(app: FastAPI) -> None:
    """Render every error of the app as a problem."""
    app.add_exception_handler(FlotillaError, _flotilla_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected_error)


def from_task(error: TaskError, task_id: str) -> FlotillaError:
    """The error of a failed task, to be raised to the client that awaits it."""
    kind = _kinds().get(error.code, FlotillaError)
    raised = kind(error.message, task_id=task_id, stage=error.stage)
    raised.code = error.code  # type: ignore[misc]
    return raised


def _kinds() -> dict[str, type[FlotillaError]]:
    found: dict[str, type[FlotillaError]] = {}
    waiting = [FlotillaError]
    while waiting:
        kind = waiting.pop()
        found.setdefault(kind.code, kind)
        waiting.extend(kind.__subclasses__())
    return found


async def _flotilla_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, FlotillaError)  # noqa: S101 - it is registered for this class
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.warning("request.failed", code=error.code, detail=error.message)
    fields = [{"field": error.field, "message": error.message}] if error.field is not None else None
    return problem(
        request,
        code=error.code,
        status=error.status,
        title=error.title(),
        detail=error.message,
        retryable=error.retryable,
        retry_after=error.retry_after,
        errors=fields,
        **error.details,
    )


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    fields = [_field_error(each) for each in error.errors()]
    first = fields[0]
    return problem(
        request,
        code=InvalidRequest.code,
        status=InvalidRequest.status,
        title=InvalidRequest.title(),
        detail=f"{first['field']}: {first['message']}.",
        errors=fields,
    )


def _field_error(error: dict[str, Any]) -> dict[str, str]:
    if error["type"] == "json_invalid":
        message = f"not valid JSON at character {error['loc'][-1]} ({error['ctx']['error']})"
        return {"field": "body", "message": message}
    field = ".".join(str(part) for part in error["loc"][1:]) or "body"
    return {"field": field, "message": error["msg"].removeprefix("Value error, ")}


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    if isinstance(error.__cause__, FlotillaError):
        return await _flotilla_error(request, error.__cause__)
    status = HTTPStatus(error.status_code)
    detail = {
        HTTPStatus.NOT_FOUND: f"There is nothing at {request.url.path}: /docs lists the endpoints.",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not offered at {request.url.path}: "
        "/docs lists the endpoints.",
    }.get(status, str(error.detail))
    response = problem(
        request,
        code=status.name.lower(),
        status=status,
        title=status.phrase,
        detail=detail,
    )
    response.headers.update(error.headers or {})
    return response


async def _unexpected_error(request: Request, error: Exception) -> JSONResponse:
    logger.error("request.crashed", path=request.url.path, exc_info=error)
    response = problem(
        request,
        code=FlotillaError.code,
        status=500,
        title="Internal error",
        detail="An internal error occurred: the gateway's log has it under this request id.",
    )
    # This handler's response does not pass the middleware that sets it elsewhere.
    response.headers["X-Request-ID"] = request.scope.get("request_id", "")
    return response
