"""Refusals: what a caller can be told, as kinds and stable codes, with no knowledge of the web.

The table from kind to HTTP status is in `vms_privacy/http/problems.py`; the one to exit codes in
`vms_privacy/cli/output.py`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar


class Kind(StrEnum):
    """What sort of refusal it is. Every face maps every kind."""

    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    CONFLICT = "conflict"
    GONE = "gone"
    INVALID = "invalid"
    LOCKED = "locked"
    TOO_LARGE = "too-large"
    TOO_MANY = "too-many"
    DAMAGED = "damaged"
    UNAVAILABLE = "unavailable"


class Refusal(Exception):
    """Something the caller can be told. `str(error)` holds no personal data, secret or address.

    Subclasses set `kind` and a `code` that never changes once released. `facts` are further members of the
    problem document (RFC 9457, 3.2): short, safe values only.
    """

    kind: ClassVar[Kind]
    code: ClassVar[str]

    def __init__(self, detail: str, **facts: str | int) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts: Mapping[str, str | int] = facts
