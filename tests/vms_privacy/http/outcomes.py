"""The table of outcomes: what every operation of the API answers to everybody who may ask for it.

One row per operation. Complete by comparison with the OpenAPI document: tests/guards/test_outcomes.py. Media, which
ask for a token instead of a person, have a table of their own: media_outcomes.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from auth.principal import Right
from tests.given.stage import Who


@dataclass(frozen=True, slots=True)
class Cell:
    """One answer: a status, and the code of the problem if it is one."""

    status: int
    code: str = ""

    @property
    def is_refusal(self) -> bool:
        return self.status >= 400


@dataclass(frozen=True, slots=True)
class Row:
    """One operation. `needs` is its gate line; `rights` is what those hold who hold the right."""

    operation: str
    needs: str
    outcomes: Mapping[Who, Cell]
    rights: frozenset[Right] = frozenset({Right.LIVE})


UNKNOWN: Final = Cell(401, "not-authenticated")
MISSING: Final = Cell(404, "not-found")
FORBIDDEN: Final = Cell(403, "not-allowed")
_FACELESS: Final = dict.fromkeys((Who.NOBODY, Who.STRANGER, Who.DISABLED), UNKNOWN)
_OUTSIDE: Final = {**_FACELESS, Who.NEIGHBOUR: MISSING, Who.PLATFORM: MISSING}
_OF_OTHERS: Final = {Who.NEIGHBOUR: FORBIDDEN}
_NO_LONGER: Final = (Who.WITHDRAWN, Who.EXPIRED, Who.NOT_YET)


def _camera(done: int, other_right: Cell = FORBIDDEN) -> Mapping[Who, Cell]:
    """A camera is there for whoever holds something over it; done for who holds the right."""
    return {
        **_OUTSIDE,
        Who.NEWCOMER: MISSING,
        Who.ELSEWHERE: MISSING,
        Who.OTHER_RIGHT: other_right,
        Who.NARROW: Cell(done),
        Who.RIGHT: Cell(done),
        **dict.fromkeys(_NO_LONGER, MISSING),
    }


def _operator(done: int) -> Mapping[Who, Cell]:
    """An operator is there for its people; done for who holds the right over all of it."""
    others = (Who.NEWCOMER, Who.ELSEWHERE, Who.OTHER_RIGHT, Who.NARROW, *_NO_LONGER)
    return {**_OUTSIDE, **dict.fromkeys(others, FORBIDDEN), Who.RIGHT: Cell(done)}


def _within(done: int, elsewhere: Cell) -> Mapping[Who, Cell]:
    """Done for who holds the right as far as what is asked for; who holds it elsewhere only comes past the gate."""
    return {**_operator(done), Who.ELSEWHERE: elsewhere, Who.NARROW: Cell(done)}


def _people(done: int) -> Mapping[Who, Cell]:
    """Done for all of the operator's people."""
    return {**_OUTSIDE, **{who: Cell(done) for who in Who if who not in _OUTSIDE}}


def _logged_in(done: Cell) -> Mapping[Who, Cell]:
    return {**_FACELESS, **{who: done for who in Who if who not in _FACELESS}}


def _platform(done: int) -> Mapping[Who, Cell]:
    return {**_logged_in(FORBIDDEN), Who.PLATFORM: Cell(done)}


def _closed(done: int) -> Mapping[Who, Cell]:
    return {**{who: UNKNOWN for who in Who if who not in _OUTSIDE}, **_FACELESS, **_OF_OTHERS, Who.PLATFORM: Cell(done)}


def _everybody(done: Cell) -> Mapping[Who, Cell]:
    return dict.fromkeys(Who, done)


_O: Final = "/api/v1/operators/{operator_id}"
_C: Final = "/api/v1/cameras/{camera_id}"
# Nobody gives what they do not hold: whoever gives a right to live pictures holds it too.
_GIVES: Final = frozenset({Right.GRANT, Right.LIVE})
_GRANT: Final = frozenset({Right.GRANT})
_AUDIT: Final = frozenset({Right.AUDIT})
_RECORD: Final = frozenset({Right.RECORD})
_RETAIN: Final = frozenset({Right.RETAIN})
_HOLD: Final = frozenset({Right.HOLD})
_RESTRICT: Final = frozenset({Right.RESTRICT})
_ERASE: Final = frozenset({Right.ERASE})
_Q: Final = f"{_O}/requests/{{request_id}}"

HIDDEN: Final = (
    Row("GET /metrics", "nobody", _everybody(Cell(200))),
    Row("GET /openapi.json", "nobody", _everybody(Cell(200))),
    Row("GET /docs", "nobody", _everybody(Cell(200))),
)
"""Routes that are not in the OpenAPI document."""

API: Final = (
    Row("GET /healthz", "nobody", _everybody(Cell(200))),
    Row("GET /readyz", "nobody", _everybody(Cell(200))),
    Row("GET /.well-known/jwks.json", "nobody", _everybody(Cell(200))),
    Row("GET /api/v1/receipt-keys", "nobody", _everybody(Cell(200))),
    Row("GET /api/v1/receipt-keys/document", "nobody", _everybody(Cell(200))),
    Row("GET /api/v1/opt-in-wordings/{kind}", "nobody", _everybody(Cell(200))),
    Row("POST /api/v1/auth/token", "nobody", _everybody(Cell(200))),
    # Its code works once, for a while: the stage is set years later.
    Row("POST /api/v1/auth/bootstrap", "nobody", _everybody(Cell(410, "code-is-spent"))),
    Row("POST /api/v1/auth/enrolment", "nobody", _everybody(Cell(200))),
    Row("POST /api/v1/auth/logout", "self", _logged_in(Cell(204))),
    Row("GET /api/v1/auth/me", "self", _logged_in(Cell(200))),
    Row("GET /api/v1/auth/me/grants", "self", _logged_in(Cell(200))),
    Row("PUT /api/v1/auth/password", "self", _logged_in(Cell(403, "wrong-password"))),
    Row("POST /api/v1/operators", "platform", _platform(201)),
    Row("GET /api/v1/operators", "platform", _platform(200)),
    Row(f"PUT {_O}/region", "platform", _platform(200)),
    Row("GET /api/v1/platform/audit", "platform", _platform(200)),
    Row("GET /api/v1/platform/audit/verdict", "platform", _platform(200)),
    Row("GET /api/v1/clock", "platform", _platform(200)),
    Row("POST /api/v1/clock/settle", "platform", _platform(200)),
    Row(f"GET {_O}", "membership on operator", _people(200)),
    Row(f"POST {_O}/owner", "platform", _platform(201)),
    Row(f"POST {_O}/people", "grant on operator", _operator(201), _GRANT),
    Row(f"GET {_O}/people", "grant on operator", _operator(200), _GRANT),
    Row(f"POST {_O}/people/{{person_id}}/invitation", "grant on operator", _operator(201), _GRANT),
    Row(f"DELETE {_O}/people/{{person_id}}", "grant on operator", _operator(200), _GRANT),
    Row(f"GET {_O}/grants", "grant within operator", _within(200, Cell(200)), _GRANT),
    Row(f"POST {_O}/grants", "grant within operator", _within(201, MISSING), _GIVES),
    Row(f"PUT {_O}/grants/{{grant_id}}", "grant within operator", _within(200, MISSING), _GIVES),
    Row(f"DELETE {_O}/grants/{{grant_id}}", "grant within operator", _within(200, MISSING), _GIVES),
    Row(f"POST {_O}/cameras", "grant on operator", _operator(201), _GRANT),
    Row(f"GET {_O}/cameras", "membership on operator", _people(200)),
    Row(f"GET {_O}/sessions", "grant on operator", _operator(200), _GRANT),
    Row(f"DELETE {_O}/sessions/{{session_id}}", "grant on operator", _operator(204), _GRANT),
    Row(f"GET {_O}/deletion-debt", "audit on operator", _operator(200), _AUDIT),
    Row(f"GET {_O}/receipts", "audit on operator", _operator(200), _AUDIT),
    Row(f"POST {_O}/receipts", "audit on operator", _operator(201), _AUDIT),
    Row(f"GET {_O}/receipts/{{receipt_id}}/document", "audit on operator", _operator(200), _AUDIT),
    Row(f"GET {_O}/receipt-summaries", "audit on operator", _operator(200), _AUDIT),
    Row(f"GET {_O}/receipt-summaries/{{month}}/document", "audit on operator", _operator(200), _AUDIT),
    Row(f"GET {_O}/audit", "audit on operator", _operator(200), _AUDIT),
    Row(f"GET {_C}", "any right on camera", _camera(200, other_right=Cell(200))),
    Row(f"PATCH {_C}", "grant on camera", _camera(200), _GRANT),
    Row(f"DELETE {_C}", "grant on camera", _camera(204), _GRANT),
    Row(f"GET {_C}/status", "any right on camera", _camera(200, other_right=Cell(200))),
    Row(f"GET {_C}/opt-ins", "record on camera", _camera(200), _RECORD),
    Row(f"POST {_C}/opt-ins", "record on camera", _camera(201), _RECORD),
    Row(f"DELETE {_C}/opt-ins/{{kind}}", "record on camera", _camera(200), _RECORD),
    Row(f"GET {_C}/recording-times", "record on camera", _camera(200), _RECORD),
    Row(f"PUT {_C}/recording-times", "record on camera", _camera(200), _RECORD),
    Row(f"GET {_C}/recording-times/versions", "record on camera", _camera(200), _RECORD),
    Row(f"GET {_C}/retention", "retain on camera", _camera(200), _RETAIN),
    Row(f"PUT {_C}/retention", "retain on camera", _camera(200), _RETAIN),
    Row(f"GET {_C}/retention/versions", "retain on camera", _camera(200), _RETAIN),
    Row(f"GET {_C}/retention/preview", "retain on camera", _camera(200), _RETAIN),
    Row(f"POST {_C}/retention/proposals", "retain on camera", _camera(202), _RETAIN),
    Row(f"GET {_O}/retention", "retain on operator", _operator(200), _RETAIN),
    Row(f"PUT {_O}/retention", "retain on operator", _operator(200), _RETAIN),
    Row(f"GET {_O}/forecast", "retain on operator", _operator(200), _RETAIN),
    Row(f"GET {_O}/orders", "audit on operator", _operator(200), _AUDIT),
    Row(f"POST {_C}/holds", "hold on camera", _camera(201), _HOLD),
    Row(f"GET {_C}/holds", "hold on camera", _camera(200), _HOLD),
    Row(f"PUT {_C}/holds/{{order_id}}/people", "hold on camera", _camera(200), _HOLD),
    Row(f"PUT {_C}/holds/{{order_id}}/review", "hold on camera", _camera(200), _HOLD),
    Row(f"POST {_C}/holds/{{order_id}}/end", "hold on camera", _camera(202), _HOLD),
    Row(f"POST {_C}/restrictions", "restrict on camera", _camera(201), _RESTRICT),
    Row(f"GET {_C}/restrictions", "restrict on camera", _camera(200), _RESTRICT),
    Row(f"PUT {_C}/restrictions/{{order_id}}/review", "restrict on camera", _camera(200), _RESTRICT),
    Row(f"POST {_C}/restrictions/{{order_id}}/end", "restrict on camera", _camera(202), _RESTRICT),
    Row(f"GET {_O}/mandates", "audit on operator", _operator(200), _AUDIT),
    Row(f"GET {_C}/mandates", "erase on camera", _camera(200), _ERASE),
    Row(f"GET {_C}/mandates/preview", "erase on camera", _camera(200), _ERASE),
    Row(f"POST {_C}/mandates", "erase on camera", _camera(202), _ERASE),
    Row(f"POST {_O}/requests", "erase on operator", _operator(201), _ERASE),
    Row(f"GET {_O}/requests", "erase on operator", _operator(200), _ERASE),
    Row(f"GET {_O}/requests/clocks", "audit on operator", _operator(200), _AUDIT),
    Row(f"GET {_Q}", "erase on operator", _operator(200), _ERASE),
    Row(f"GET {_Q}/contact", "erase on operator", _operator(200), _ERASE),
    Row(f"PUT {_Q}/scope", "erase on operator", _operator(200), _ERASE),
    Row(f"PUT {_Q}/identity", "erase on operator", _operator(200), _ERASE),
    Row(f"POST {_Q}/extension", "erase on operator", _operator(200), _ERASE),
    Row(f"GET {_Q}/search", "erase on operator", _operator(200), _ERASE),
    Row(f"GET {_Q}/preview", "erase on operator", _operator(200), _ERASE),
    Row(f"POST {_Q}/decision", "erase on operator", _operator(200), _ERASE),
    Row(f"POST {_Q}/refusal", "erase on operator", _operator(200), _ERASE),
    Row(f"GET {_Q}/statement", "erase on operator", _operator(200), _ERASE),
    Row(f"POST {_Q}/closing", "erase on operator", _operator(200), _ERASE),
    # Whoever looks after recordings may ask as well.
    Row(f"GET {_C}/why", "any right on camera", _camera(200, other_right=Cell(200)), frozenset({Right.ARCHIVE})),
    Row(f"POST {_O}/off-boarding", "erase on operator", _operator(202), _ERASE),
    Row(f"GET {_O}/off-boarding", "audit on operator", _operator(200), _AUDIT),
    Row(f"DELETE {_O}/off-boarding", "erase on operator", _operator(204), _ERASE),
    Row(f"POST {_O}/off-boarding/manifest", "erase on operator", _operator(202), _ERASE),
    Row(f"GET {_O}/off-boarding/manifest", "audit on operator", _operator(200), _AUDIT),
    Row(f"POST {_O}/off-boarding/confirmation", "erase on operator", _operator(202), _ERASE),
    Row("GET /api/v1/off-boardings", "platform", _platform(200)),
    # Its own people are logged out with its end: nobody of it is left to ask.
    Row("GET /api/v1/off-boardings/{off_boarding_id}/receipts/{receipt_id}/document", "platform", _closed(200)),
    Row(f"GET {_O}/approvals", "membership on operator", _people(200)),
    # What a proposal needs is asked of who decides over the camera that it is about.
    Row(f"POST {_O}/approvals/{{proposal_id}}/approve", "membership on operator", _camera(200), _HOLD),
    Row(f"POST {_O}/approvals/{{proposal_id}}/refuse", "membership on operator", _camera(200), _HOLD),
    # The service itself asks for the right, in the gate's own words.
    Row(f"POST {_C}/tokens", "self", _camera(201)),
    # A token is nothing to whoever may not give rights over its camera.
    Row("DELETE /api/v1/tokens/{token_id}", "self", _camera(204, other_right=MISSING), _GRANT),
)
