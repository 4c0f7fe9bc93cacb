"""Every cell of the table of media: each route of pictures, with every sort of token and key, over the wire."""

import json
from collections.abc import Iterator
from typing import Final

import httpx
import pytest

from auth.media_sessions.rules import End
from auth.principal import Principal, Right
from auth.tokens.issuing import IssuedToken
from auth.tokens.rules import Action
from tests.given.screening import SECONDS, Screening
from tests.given.stage import HOUR
from tests.given.whole_app import WholeApp
from tests.vms_privacy.http.answers import faults, same
from tests.vms_privacy.http.media_outcomes import BY_KEY, BY_TOKEN, Holder, MediaRow
from vms_privacy.audit.events import Outcome
from vms_privacy.audit.tables import EventRow

BOTH: Final = frozenset(Action)
CELLS: Final = [
    pytest.param(row, holder, id=f"{row.operation} with {holder.name}")
    for row in (*BY_TOKEN, *BY_KEY)
    for holder in row.outcomes
]


@pytest.fixture(scope="module")
def screening(app: WholeApp) -> Screening:
    return Screening(app)


@pytest.fixture
def look(screening: Screening) -> Iterator["Look"]:
    yield Look(screening)
    screening.close()


class Look:
    """One look at a camera, by somebody new."""

    def __init__(self, screening: Screening) -> None:
        self.screening, self.stage, self.parts = screening, screening.stage, screening.parts
        self.viewer: Principal = self.stage.person()
        self._grant = self.stage.access.grant(self.viewer, {Right.LIVE, Right.ARCHIVE})
        self.told: list[EventRow] = []

    def shown(self, holder: Holder, action: Action) -> dict[str, str]:
        """What is sent with the request. It is made of a token for this action alone if nothing else is said."""
        if holder in Holder.of_keys():
            return {} if holder is Holder.NO_KEY else {"s": self._key(holder, action)}
        return {} if holder is Holder.NO_TOKEN else {"token": self._token(holder, action)}

    def get(self, row: MediaRow, shown: dict[str, str], operator: str, camera: str) -> httpx.Response:
        """Send it, take the head and at most a little of the body, and look up what the audit says afterwards."""
        app = self.stage.app
        app.parts.refusals.flush_all()
        before = app.last_event()
        with app.client() as client, client.stream("GET", self._path(row, operator, camera), params=shown) as answer:
            if answer.status_code != 200:
                answer.read()
        app.parts.refusals.flush_all()
        self.told = app.events_after(before)
        return answer

    def refusals(self) -> list[EventRow]:
        return [event for event in self.told if event.outcome == Outcome.REFUSED]

    def _path(self, row: MediaRow, operator: str, camera: str) -> str:
        _, _, _, below = row.operation.removeprefix("GET ").split("/", 3)
        below = self.screening.paths.get(below, below).format(start=self.screening.start, duration=SECONDS)
        return f"/{operator}/{camera}/{below}"

    def _issue(self, *actions: Action) -> IssuedToken:
        return self.screening.issue(frozenset(actions), viewer=self.viewer)

    def _token(self, holder: Holder, action: Action) -> str:
        other = Action.ARCHIVE if action is Action.LIVE else Action.LIVE
        match holder:
            case Holder.GARBAGE:
                return "p1.AAAAAAAAAAAAAAAAAAAAAA"
            case Holder.ACCESS_TOKEN:
                return self.stage.log_in(self.stage.owner)
            case Holder.OTHER_CAMERA:
                return self.screening.issue(BOTH, self.stage.other_camera, self.viewer).handle
            case Holder.NEIGHBOUR:
                camera = self.stage.neighbours_camera
                self.viewer = self.stage.neighbour
                return self.screening.issue(BOTH, camera, self.viewer).handle
            case Holder.OTHER_ACTION:
                return self._issue(other).handle
            case Holder.EXPIRED:
                return self.screening.old(self._issue(action))
            case Holder.OUT_OF_WINDOW:
                now = self.stage.app.clock.now()
                window = (now - 2 * HOUR, now - HOUR)
                return self.screening.issue(BOTH, viewer=self.viewer, window=window).handle
            case Holder.JWT:
                return self._issue(action).jwt
        issued = self._issue(action)
        self._take_back(holder, issued)
        return issued.handle

    def _take_back(self, holder: Holder, issued: IssuedToken) -> None:
        assert self.viewer.person_id is not None
        match holder:
            case Holder.WITHDRAWN:
                with self.parts.db.writing() as session:
                    self.parts.withdrawals.withdraw(session, self.stage.owner, issued.claims.token_id)
            case Holder.GRANT_WITHDRAWN:
                self.stage.withdraw(self._grant)
            case Holder.DISABLED:
                with self.parts.db.writing() as session:
                    self.parts.people.disable(session, self.stage.owner, self.stage.operator_id, self.viewer.person_id)

    def _key(self, holder: Holder, action: Action) -> str:
        other = Action.ARCHIVE if action is Action.LIVE else Action.LIVE
        match holder:
            case Holder.GARBAGE_KEY:
                return "A" * 22
            case Holder.TOKEN_AS_KEY:
                return self._issue(action).handle
            case Holder.OTHER_CAMERA_KEY:
                camera = self.stage.other_camera
                issued = self.screening.issue(BOTH, camera, self.viewer)
                return self.screening.key(issued, Action.LIVE, camera.name)
            case Holder.OTHER_ACTION_KEY:
                return self.screening.key(self._issue(Action.LIVE, Action.ARCHIVE), other)
        key = self.screening.key(self._issue(action), action)
        if holder is Holder.ENDED_KEY:
            (session,) = self.parts.sessions.of_operator(self.stage.operator_id)
            self.parts.sessions.end(session, End.CLIENT_LEFT)
        if holder is Holder.CUT_KEY:
            self.stage.withdraw(self._grant)
        return key


@pytest.mark.parametrize(("row", "holder"), CELLS)
def test_every_token_and_every_key_opens_what_the_table_says(look: Look, row: MediaRow, holder: Holder) -> None:
    cell, stage = row.outcomes[holder], look.stage
    shown = look.shown(holder, Action.ARCHIVE if "archive" in row.needs else Action.LIVE)
    answer = look.get(row, shown, stage.name, stage.camera.name)
    assert (answer.status_code, _code(answer)) == (cell.status, cell.code)
    assert faults(answer) == []
    _check_trace(look, holder, refused=cell.is_refusal)
    if cell.status == 404:
        for operator, camera in ((stage.name, "nowhere"), ("nobody", stage.camera.name), ("nobody", "nowhere")):
            assert same(look.get(row, shown, operator, camera)) == same(answer)
            _check_trace(look, holder, refused=True)


def _check_trace(look: Look, holder: Holder, *, refused: bool) -> None:
    """A refusal is in the audit once: of the token's person, or counted where none is known by what was shown."""
    told = look.refusals()
    assert len(told) == refused
    if refused and holder.is_known:
        assert (told[0].actor, told[0].operator_id) == (look.viewer.label, look.viewer.operator_id)
    elif refused:
        assert (told[0].actor, json.loads(told[0].detail)["count"]) == ("nobody", 1)


def _code(answer: httpx.Response) -> str:
    return str(answer.json()["code"]) if answer.status_code != 200 else ""


def test_a_token_is_taken_from_its_place_alone(look: Look) -> None:
    """A handle as a bearer token, and an access token beside a good handle, are what they would be without it."""
    handle = look._issue(Action.LIVE).handle
    place = f"/{look.stage.name}/{look.stage.camera.name}/info.json"
    with look.stage.app.client(handle) as client:
        assert client.get(place).status_code == 401
        assert client.get("/api/v1/auth/me").status_code == 401
        assert client.get(place, params={"token": handle}).status_code == 200
