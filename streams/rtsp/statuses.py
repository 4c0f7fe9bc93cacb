"""From a refusal to an RTSP status (RFC 2326, 7.1.1). Every kind has one; some codes have their own."""

from collections.abc import Mapping

from streams.rtsp.errors import (
    MethodNotServed,
    NoSuchSession,
    OptionNotSupported,
    ParameterNotUnderstood,
    TransportNotServed,
    VersionNotSpoken,
)
from streams.rtsp.protocol import Response
from vms_privacy.errors import Kind, Refusal

OF_KIND: Mapping[Kind, int] = {
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 455,
    Kind.GONE: 410,
    Kind.INVALID: 400,
    Kind.LOCKED: 403,
    Kind.TOO_LARGE: 413,
    Kind.TOO_MANY: 453,
    Kind.DAMAGED: 500,
    Kind.UNAVAILABLE: 503,
}

OF_CODE: Mapping[str, int] = {
    ParameterNotUnderstood.code: 451,
    NoSuchSession.code: 454,
    TransportNotServed.code: 461,
    MethodNotServed.code: 501,
    VersionNotSpoken.code: 505,
    OptionNotSupported.code: 551,
}

REASON: Mapping[int, str] = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    410: "Gone",
    413: "Request Entity Too Large",
    451: "Parameter Not Understood",
    453: "Not Enough Bandwidth",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "RTSP Version not supported",
    551: "Option not supported",
}


def status_of(refusal: Refusal) -> int:
    """Return the status line's number for a refusal."""
    return OF_CODE.get(refusal.code, OF_KIND[refusal.kind])


def answer(status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Response:
    """Return an answer with its reason phrase."""
    return Response(status, REASON[status], headers or {}, body)


def refused(refusal: Refusal, challenge: str) -> Response:
    """Return the answer to a refused request: the status of its kind, its code, nothing else about why."""
    headers = {"X-Problem": refusal.code}
    if refusal.kind is Kind.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = challenge
    if refusal.code == OptionNotSupported.code:
        headers["Unsupported"] = str(refusal.facts["option"])
    return answer(status_of(refusal), headers)
