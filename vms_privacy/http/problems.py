"""Refusals as problem documents (RFC 9457): the one table from kinds to HTTP statuses.

The body is a function of the refusal alone: no request path, no id of the request, nothing that could differ between
"it does not exist" and "you may not see it".
"""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from vms_privacy.errors import Kind, Refusal

STATUS: Final[Mapping[Kind, int]] = MappingProxyType(
    {
        Kind.UNAUTHENTICATED: 401,
        Kind.FORBIDDEN: 403,
        Kind.NOT_FOUND: 404,
        Kind.CONFLICT: 409,
        Kind.GONE: 410,
        Kind.TOO_LARGE: 413,
        Kind.INVALID: 422,
        Kind.LOCKED: 423,
        Kind.TOO_MANY: 429,
        Kind.DAMAGED: 500,
        Kind.UNAVAILABLE: 503,
    }
)
_TITLES: Final[Mapping[int, str]] = MappingProxyType(
    {
        400: "bad request",
        404: "not-found",
        405: "method not allowed",
        406: "not acceptable",
        413: "too-large",
        415: "unsupported media type",
        500: "internal error",
    }
)
_log = structlog.get_logger("http")


def document(status: int, code: str, title: str, detail: str, facts: Mapping[str, object] | None = None) -> bytes:
    """Return the bytes of one problem document, members in a fixed order."""
    body = {"type": f"/problems/{code}", "title": title, "status": status, "code": code, "detail": detail}
    return json.dumps(body | dict(facts or {}), separators=(",", ":")).encode()


def response(status: int, code: str, title: str, detail: str, facts: Mapping[str, object] | None = None) -> Response:
    """Return a problem as a response that no cache keeps."""
    headers = {"Cache-Control": "no-store"}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="vms-privacy"'
    if facts and "retry_after" in facts:
        headers["Retry-After"] = str(facts["retry_after"])
    body = document(status, code, title, detail, facts)
    return Response(body, status, headers, media_type="application/problem+json")


def of_refusal(refusal: Refusal) -> Response:
    """Return the response that tells a refusal."""
    return response(STATUS[refusal.kind], refusal.code, refusal.kind, refusal.detail, refusal.facts)


def install_problems(app: FastAPI) -> None:
    """Make the app answer every refusal, invalid body and unforeseen error as a problem document."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(Exception, _unforeseen)


async def _refused(_: Request, error: Exception) -> Response:
    if not isinstance(error, Refusal):
        raise error
    return of_refusal(error)


async def _invalid(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    errors: Sequence[Any] = error.errors()
    # The value itself is left out: it may be a password or a camera address.
    told = [{"where": "/".join(str(part) for part in one["loc"]), "what": one["msg"]} for one in errors[:20]]
    return response(422, "invalid-request", Kind.INVALID, "the request does not fit its schema", {"errors": told})


async def _plain(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    status = error.status_code
    if status == 404:
        return response(404, "not-found", "not-found", "there is nothing here that you may see")
    title = _TITLES.get(status, "refused")
    answer = response(status, title.replace(" ", "-"), title, title)
    answer.headers.update(error.headers or {})
    return answer


async def _unforeseen(_: Request, error: Exception) -> Response:
    # The text of a foreign error may hold an address or a secret: only its type is told, and only to the log.
    _log.error("unforeseen-error", error=type(error).__name__)
    return response(500, "internal-error", "internal error", "the request failed; nothing was changed by it")
