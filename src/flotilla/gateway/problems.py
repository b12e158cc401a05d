"""Errors as application/problem+json (RFC 9457)."""

import math
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from flotilla.errors import FlotillaError, InvalidRequest
from flotilla.gateway import examples
from flotilla.logging import get_logger
from flotilla.schemas import COLLECTION_NAME, DEEPEST_JSON, FieldError, Problem, TaskError

logger = get_logger(__name__)

MEDIA_TYPE = "application/problem+json"

SCHEMA = {"$ref": "#/components/schemas/Problem"}
CONTENT_TYPE_WANTED = "send JSON with the header `content-type: application/json`"
COLLECTION_NAME_IN_WORDS = (
    "A collection's name has letters, digits, dots, dashes and underscores, begins with a letter "
    "or digit, and is at most 63 long"
)
BODY_UNREADABLE = (
    f"The body cannot be read as JSON: send UTF-8, nested at most {DEEPEST_JSON} levels deep."
)

Responses = dict[int | str, dict[str, Any]]


def example(error: FlotillaError) -> dict[str, Any]:
    """The problem document of an error, as the API's document shows it."""
    body = Problem(
        title=error.title(),
        status=error.status,
        detail=error.message,
        code=error.code,
        request_id=examples.REQUEST,
        retryable=error.retryable,
        retry_after=error.retry_after,
        errors=_fields(error),
        **error.details,
    )
    return body.model_dump(mode="json", exclude_none=True)


def responses(*errors: FlotillaError) -> Responses:
    """What an endpoint's decorator says of these errors: one response a status, an example each."""
    found: Responses = {}
    for error in errors:
        response = found.setdefault(
            error.status,
            {"description": "", "content": {MEDIA_TYPE: {"schema": SCHEMA, "examples": {}}}},
        )
        response["description"] = f"{response['description']} {error.title()}.".strip()
        response["content"][MEDIA_TYPE]["examples"][error.code] = {
            "summary": error.title(),
            "value": example(error),
        }
        if error.retry_after is not None:
            response["headers"] = {
                "Retry-After": {
                    "description": "Seconds after which another try makes sense.",
                    "schema": {"type": "integer"},
                    "example": math.ceil(error.retry_after),
                }
            }
    return found


def _fields(error: FlotillaError) -> list[FieldError] | None:
    return [FieldError(field=error.field, message=error.message)] if error.field else None


RESPONSES: Responses = {
    "4XX": {
        "description": "The request is at fault.",
        "content": {MEDIA_TYPE: {"schema": SCHEMA, "example": example(examples.BAD_FIELD)}},
    },
    "5XX": {
        "description": "Flotilla is at fault, or a part of it is out of reach.",
        "content": {MEDIA_TYPE: {"schema": SCHEMA, "example": example(examples.OUT_OF_REACH)}},
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
        retry_after=retry_after,
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
    raised = kind(error.message, retry_after=error.retry_after, task_id=task_id, stage=error.stage)
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
    return problem(
        request,
        code=error.code,
        status=error.status,
        title=error.title(),
        detail=error.message,
        retryable=error.retryable,
        retry_after=error.retry_after,
        errors=_fields(error),
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
        where = f"at character {error['loc'][-1]} ({error['ctx']['error']})"
        message = f"The body is not valid JSON {where}: correct it and send it again"
        return {"field": "body", "message": message}
    if tuple(error["loc"]) == ("body",):
        if error["type"] == "missing":
            return {"field": "body", "message": f"There is no body: {CONTENT_TYPE_WANTED}"}
        if isinstance(error.get("input"), bytes):
            message = f"The body was not read as JSON: {CONTENT_TYPE_WANTED}"
            return {"field": "body", "message": message}
        if error["type"] in ("model_attributes_type", "model_type", "dict_type"):
            return {"field": "body", "message": "The body is no JSON object: send {…}"}
    if error.get("ctx", {}).get("pattern") == COLLECTION_NAME:
        field = ".".join(str(part) for part in error["loc"][1:])
        return {"field": field, "message": COLLECTION_NAME_IN_WORDS}
    # A validator of the whole body may say itself which field is at fault.
    inner = [error["ctx"]["field"]] if error["type"] == "field" else []
    field = ".".join(str(part) for part in (*error["loc"][1:], *inner)) or "body"
    return {"field": field, "message": error["msg"].removeprefix("Value error, ")}


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    if isinstance(error.__cause__, FlotillaError):
        return await _flotilla_error(request, error.__cause__)
    status = HTTPStatus(error.status_code)
    if status is HTTPStatus.BAD_REQUEST and error.__cause__ is not None:
        # FastAPI's word for a body whose reading failed: nested too deeply, or no UTF-8.
        return await _flotilla_error(request, InvalidRequest(BODY_UNREADABLE, field="body"))
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
