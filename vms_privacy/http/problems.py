"""Refusals as problem documents (RFC 9457): the one table from kinds to HTTP statuses.

The body is a function of the refusal alone: no request path, no id of the request, nothing that could differ between
"it does not exist" and "you may not see it"; and nothing of what was sent, which may be a password.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import iscoroutinefunction
from pathlib import Path
from traceback import extract_tb
from types import MappingProxyType
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from auth.gate import mark_of
from auth.identities.rules import LOGIN_PATTERN, LOGIN_WORDS
from vms_privacy.errors import Kind, Refusal
from vms_privacy.web import NAME_PATTERN, NAME_WORDS

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


@dataclass(frozen=True, slots=True)
class Plain:
    """An answer of HTTP itself, before or beside any refusal of ours."""

    status: int
    code: str
    title: str
    meaning: str


NOT_FOUND: Final = Plain(
    404, "not-found", Kind.NOT_FOUND, "There is nothing under this path; what one may not see answers the same."
)
INVALID: Final = Plain(
    422, "invalid-request", Kind.INVALID, "Path, query or body do not fit the schema; `errors` says where and what."
)
BROKEN: Final = Plain(
    500, "internal-error", "internal error", "Something failed that nobody foresaw; nothing was changed by it."
)
UNGATED: Final = Plain(
    500, "ungated-route", "internal error", "A mistake of ours: a route asked nobody, so its answer is not sent."
)
PLAIN: Final = (
    Plain(400, "bad-request", "bad request", "The request cannot be read as HTTP, or its body cannot be read."),
    NOT_FOUND,
    Plain(405, "method-not-allowed", "method not allowed", "The path has other methods: `Allow` names them."),
    Plain(406, "not-acceptable", "not acceptable", "No form that the client accepts."),
    Plain(413, "too-large", Kind.TOO_LARGE, "A body of more than 1 MiB; nothing of it was looked at."),
    Plain(415, "unsupported-media-type", "unsupported media type", "The body is in a form that is not read here."),
    INVALID,
    Plain(431, "head-too-large", Kind.TOO_LARGE, "Request line and headers of more than 32 KiB together."),
    BROKEN,
    UNGATED,
)
"""Every problem that no class of refusal stands for."""
_PLAIN_OF: Final[Mapping[int, Plain]] = MappingProxyType({one.status: one for one in PLAIN if one is not UNGATED})
_NOTHING_HERE: Final = "there is nothing here that you may see"
# These say what was sent, all others what is wanted.
_SAID_OTHERWISE: Final[Mapping[str, str]] = MappingProxyType(
    {"union_tag_invalid": "Input is none of the values that choose a form", "uuid_parsing": "Input is not a UUID"}
)
_SAID_OF_PATTERN: Final[Mapping[str, str]] = MappingProxyType({NAME_PATTERN: NAME_WORDS, LOGIN_PATTERN: LOGIN_WORDS})
_SAID_BY_PYDANTIC: Final = "Value error, "
_LENGTHS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {"too_short": ("at least", "min_length"), "too_long": ("at most", "max_length")}
)
_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}\Z", re.ASCII)
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


def of_status(status: int) -> Response:
    """Return the response that tells a status of HTTP itself."""
    plain = _PLAIN_OF.get(status)
    if plain is None:
        return response(status, "refused", "refused", "refused")
    return response(status, plain.code, plain.title, _NOTHING_HERE if plain is NOT_FOUND else plain.title)


def of_failure(error: Exception) -> Response:
    """Return the response to an error that nobody foresaw, having logged its type and place, never its text.

    The text of a foreign error may hold an address or a secret.
    """
    frames = extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    _log.error("unforeseen-error", error=type(error).__name__, place=place)
    return response(BROKEN.status, BROKEN.code, BROKEN.title, "the request failed; nothing was changed by it")


def install_problems(app: FastAPI) -> None:
    """Make the app answer every refusal, invalid body and unforeseen error as a problem document."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(Exception, _unforeseen)


def every_refusal(of: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    """Go through the refusals with a code of all modules that are imported."""
    for cls in of.__subclasses__():
        if hasattr(cls, "code"):
            yield cls
        yield from every_refusal(cls)


def manual(refusals: Iterable[type[Refusal]]) -> str:
    """Return the page of all problems, one line each, as it is checked in: docs/reference/problems.md."""
    rows = {one.code: (one.code, one.title, one.status, one.meaning) for one in PLAIN}
    for cls in sorted(refusals, key=lambda one: (one.code, one.__module__), reverse=True):
        rows[cls.code] = (cls.code, cls.kind, STATUS[cls.kind], " ".join((cls.__doc__ or "").split()))
    lines = [f"| `{code}` | {kind} | {status} | {meaning} |" for code, kind, status, meaning in sorted(rows.values())]
    return "\n".join([*_HEAD, *lines, ""])


_HEAD: Final = (
    "# Problems",
    "",
    "Every refusal is a problem document (RFC 9457, `application/problem+json`) with `type`, `title`, `status`, `code`",
    "and `detail`, and sometimes further facts. A code never changes; programs go by it, never by the sentence. What",
    "one may not see and what does not exist is one answer, `not-found`, byte for byte. The command line gives the",
    "same codes with an exit code of their kind, the RTSP server with a status of its own. What cannot be read as HTTP",
    "at all is answered 400 in plain text, and the connection is closed.",
    "",
    "| code | kind | status | meaning |",
    "|---|---|---|---|",
)


async def _refused(_: Request, error: Exception) -> Response:
    if not isinstance(error, Refusal):
        raise error
    return of_refusal(error)


async def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    if not mark_of(request.scope).passed:
        # A body that is no JSON is found before the gate is asked. Who may not come in learns nothing of bodies.
        await _ask_the_gate(request)
    errors: Sequence[Any] = error.errors()
    told = [{"where": _where(one["loc"]), "what": _what(one)} for one in errors[:20]]
    facts = {"errors": told}
    return response(INVALID.status, INVALID.code, INVALID.title, "the request does not fit its schema", facts)


def _what(error: Mapping[str, Any]) -> str:
    """Say what is wanted, in words where there are some; never what was sent, nor how long it was."""
    kind, limits = str(error["type"]), error.get("ctx", {})
    if kind == "string_pattern_mismatch" and limits.get("pattern") in _SAID_OF_PATTERN:
        return _SAID_OF_PATTERN[limits["pattern"]]
    if kind in _LENGTHS and limits.get("field_type") == "Value":
        # A secret: how long it was is nobody's business.
        word, limit = _LENGTHS[kind]
        return f"{word} {limits[limit]} characters"
    return _SAID_OTHERWISE.get(kind, str(error["msg"]).removeprefix(_SAID_BY_PYDANTIC))


async def _ask_the_gate(request: Request) -> None:
    for line in getattr(request.scope.get("route"), "dependencies", ()):
        ask = line.dependency
        await (ask(request) if iscoroutinefunction(ask) else run_in_threadpool(ask, request))


def _where(location: Sequence[str | int]) -> str:
    """Name a place in a request. A field that nobody knows is the sender's own words: only a plain name is repeated."""
    return "/".join(
        str(part) if isinstance(part, int) or _FIELD.match(part) else "(not a field's name)" for part in location
    )


async def _plain(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    answer = of_status(error.status_code)
    answer.headers.update(error.headers or {})
    return answer


async def _unforeseen(_: Request, error: Exception) -> Response:
    return of_failure(error)
