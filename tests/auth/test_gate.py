"""The gate over HTTP: who gets through, and what those hear who do not."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from auth.errors import NotAllowed, NotFound
from auth.gate import Allowed, Asker, Gate, On, needs, public
from auth.grants.rules import Refused, Span, Why
from auth.principal import NOBODY, Granted, Principal, Right, Role, worker
from auth.resources.rules import Resource
from auth.resources.store import ResourceStore
from tests.given.auth_app import AuthParts
from vms_privacy.audit.events import Tag
from vms_privacy.http.problems import install_problems
from vms_privacy.ids import CameraId, OperatorId

MISSING = CameraId(UUID("00000000-0000-4000-8000-000000000000"))


class Story:
    """Two operators with a camera each, and one person of every sort."""

    def __init__(self, auth: AuthParts) -> None:
        self.auth = auth
        self.north, self.south = auth.access.operator("north"), auth.access.operator("south")
        self.camera = auth.access.camera(self.north, "gate", "yard")
        self.foreign = auth.access.camera(self.south, "gate")
        self.stranger = auth.access.person(self.north, "stranger")
        self.neighbour = auth.access.person(self.south, "neighbour")
        self.viewer = auth.access.person(self.north, "viewer")
        self.keeper = auth.access.person(self.north, "keeper")
        self.owner = auth.access.person(self.north, "owner")
        self.admin = auth.access.platform_admin()
        auth.access.grant(self.neighbour, Role.OWNER)
        auth.access.grant(self.viewer, Role.VIEWER, self.camera.camera_id)
        auth.access.grant(self.keeper, [Right.RETAIN, Right.GRANT], group_path="yard")
        auth.access.grant(self.owner, Role.OWNER)

    def asker(self, name: str) -> Principal | None:
        found: Principal | None = None if name == "nobody" else getattr(self, name)
        return found

    def app(self) -> FastAPI:
        app = FastAPI(redirect_slashes=False)
        app.state.gate = self.auth.gate

        @app.get("/cameras/{camera_id}/retention", **needs(Right.RETAIN, on=On.CAMERA))
        def retention(camera_id: str, granted: Allowed) -> dict[str, Any]:
            return {"grant": str(granted.grant_id), "camera": str(granted.camera_id)}

        @app.get("/cameras/{camera_id}", **needs(None, on=On.CAMERA))
        def camera(camera_id: str) -> str:
            return "seen"

        @app.get("/operators/{operator_id}/all", **needs(Right.RETAIN, on=On.OPERATOR))
        def whole(operator_id: str) -> str:
            return "whole"

        @app.get("/operators/{operator_id}/some", **needs(Right.RETAIN, on=On.WITHIN))
        def within(operator_id: str) -> str:
            return "within"

        @app.get("/operators/{operator_id}", **needs(None, on=On.OPERATOR))
        def member(operator_id: str) -> str:
            return "member"

        @app.get("/self", **needs(None, on=On.SELF))
        def oneself(asker: Asker) -> str:
            return asker.label

        @app.get("/platform", **needs(None, on=On.PLATFORM))
        def platform() -> str:
            return "platform"

        @app.get("/open", **public("a probe asks this"))
        def anybody() -> str:
            return "open"

        install_problems(app)
        return app

    async def ask(self, who: str, path: str) -> httpx.Response:
        async with self.auth.client(self.app()) as client:
            return await client.get(path, headers=self.auth.bearer(self.asker(who)))


@pytest.fixture
def story(auth: AuthParts) -> Story:
    return Story(auth)


WHO = ("nobody", "stranger", "neighbour", "admin", "viewer", "keeper", "owner")


@pytest.mark.parametrize(
    ("path", "outcomes"),
    [
        ("/cameras/{camera}/retention", (401, 404, 404, 404, 403, 200, 200)),
        ("/cameras/{camera}", (401, 404, 404, 404, 200, 200, 200)),
        ("/operators/{operator}/all", (401, 403, 404, 404, 403, 403, 200)),
        ("/operators/{operator}/some", (401, 403, 404, 404, 403, 200, 200)),
        ("/operators/{operator}", (401, 200, 404, 404, 200, 200, 200)),
        ("/self", (401, 200, 200, 200, 200, 200, 200)),
        ("/platform", (401, 403, 403, 200, 403, 403, 403)),
        ("/open", (200, 200, 200, 200, 200, 200, 200)),
    ],
)
async def test_each_gate_lets_through_exactly_those_it_is_for(
    story: Story, path: str, outcomes: tuple[int, ...]
) -> None:
    asked = path.format(camera=story.camera.camera_id, operator=story.north)
    assert tuple([(await story.ask(who, asked)).status_code for who in WHO]) == outcomes


@pytest.mark.parametrize("who", ["stranger", "neighbour", "viewer", "owner", "admin"])
@pytest.mark.parametrize("path", ["/cameras/{camera}/retention", "/cameras/{camera}"])
async def test_what_one_may_not_see_answers_exactly_like_what_does_not_exist(story: Story, who: str, path: str) -> None:
    """Status, headers and body; the statements that ran; and what the asker's own operator reads in its audit."""
    invisible = story.camera if who in {"neighbour", "stranger", "admin"} else story.foreign
    story.auth.bearer(story.asker(who))
    # Who asks is read once and remembered from then on, whatever they ask for.
    await story.ask(who, "/open")
    told = []
    for asked in (str(invisible.camera_id), str(MISSING), "not-an-id", str(invisible.camera_id).upper()):
        before = len(story.auth.noted())
        with story.auth.counted_statements() as statements:
            answer = await story.ask(who, path.format(camera=asked))
        (noted,) = story.auth.noted()[before:]
        told.append(
            (
                answer.status_code,
                sorted(answer.headers.items()),
                answer.content,
                list(statements),
                (noted.tag, noted.actor, noted.operator_id, noted.reason, noted.detail),
            )
        )
    assert told[0][0] == 404
    assert all(one == told[0] for one in told[1:])


async def test_an_id_has_one_spelling(story: Story) -> None:
    camera_id = story.camera.camera_id
    spellings = (str(camera_id), str(camera_id).upper(), camera_id.hex, f"{{{camera_id}}}", f"urn:uuid:{camera_id}")
    assert [(await story.ask("owner", f"/cameras/{one}")).status_code for one in spellings] == [200, 404, 404, 404, 404]


async def test_a_refusal_of_a_known_person_is_in_the_audit(story: Story) -> None:
    await story.ask("viewer", f"/cameras/{story.camera.camera_id}/retention")
    (noted,) = story.auth.noted(Tag.ACCESS_REFUSED)
    assert noted.actor == story.viewer.label
    assert (noted.outcome, noted.reason) == ("refused", Why.RIGHT_IS_MISSING)
    assert (noted.operator_id, noted.camera_id) == (story.north, story.camera.camera_id)
    assert json.loads(noted.detail) == {"right": "retain"}


async def test_nobodys_refusals_are_counted_and_not_stored_one_by_one(story: Story) -> None:
    for _ in range(3):
        await story.ask("nobody", f"/cameras/{story.camera.camera_id}")
    assert story.auth.noted() == []
    story.auth.refusals.flush_all()
    (noted,) = story.auth.noted()
    assert (noted.tag, noted.reason) == (Tag.ACCESS_REFUSED, "not-authenticated")
    assert json.loads(noted.detail)["count"] == 3


async def test_the_gate_is_asked_before_the_body_is_judged(story: Story) -> None:
    app = story.app()

    @app.put("/cameras/{camera_id}/thing", **needs(Right.RETAIN, on=On.CAMERA))
    def thing(camera_id: str, body: dict[str, int]) -> str:
        return "done"

    async with story.auth.client(app) as client:
        answer = await client.put(
            f"/cameras/{story.camera.camera_id}/thing", json="nonsense", headers=story.auth.bearer(story.stranger)
        )
    assert answer.status_code == 404


async def test_the_yes_of_the_gate_reaches_the_route(story: Story) -> None:
    told = (await story.ask("owner", f"/cameras/{story.camera.camera_id}/retention")).json()
    assert told["camera"] == str(story.camera.camera_id)
    assert UUID(told["grant"])


async def test_a_withdrawn_and_an_expired_grant_end_the_sight_at_once(story: Story) -> None:
    auth = story.auth
    guest = auth.access.person(story.north, "guest")
    auth.access.grant(guest, [Right.LIVE], story.camera.camera_id, valid_until=auth.clock.now() + timedelta(minutes=1))
    headers = auth.bearer(guest)
    async with auth.client(story.app()) as client:
        assert (await client.get(f"/cameras/{story.camera.camera_id}", headers=headers)).status_code == 200
        auth.clock.forward(timedelta(minutes=1))
        assert (await client.get(f"/cameras/{story.camera.camera_id}", headers=headers)).status_code == 404


def test_the_gate_costs_two_queries(story: Story) -> None:
    with story.auth.counted_statements() as statements:
        story.auth.gate.judge(story.viewer, Right.LIVE, story.camera.camera_id)
    assert sum(statement.startswith("SELECT") for statement in statements) == 2


def test_an_access_token_costs_one_query(story: Story) -> None:
    token = story.auth.bearer(story.viewer)["Authorization"].removeprefix("Bearer ")
    with story.auth.counted_statements() as statements:
        assert story.auth.logins.identify(token) == story.viewer
    assert sum(statement.startswith("SELECT") for statement in statements) == 1


def test_a_span_outside_of_the_depth_is_refused_though_the_camera_is_visible(story: Story) -> None:
    auth = story.auth
    now = auth.clock.now()
    guest = auth.access.person(story.north, "guest")
    auth.access.grant(guest, [Right.ARCHIVE], story.camera.camera_id, depth=timedelta(hours=1))
    inside = Span(now - timedelta(minutes=30), now)
    granted = auth.gate.judge(guest, Right.ARCHIVE, story.camera.camera_id, span=inside)
    assert granted.depth == timedelta(hours=1)
    with pytest.raises(NotAllowed):
        auth.gate.judge(guest, Right.ARCHIVE, story.camera.camera_id, span=Span(now - timedelta(hours=2), now))


def test_a_removed_camera_has_no_live_picture_and_keeps_its_footage(story: Story) -> None:
    auth = story.auth
    with auth.db.writing() as session:
        ResourceStore().remove(session, story.camera.camera_id, auth.clock.now())
    assert auth.gate.judge(story.owner, Right.ARCHIVE, story.camera.camera_id)
    with pytest.raises(NotFound):
        auth.gate.judge(story.owner, Right.LIVE, story.camera.camera_id)


def test_only_living_cameras_with_some_right_are_listed(story: Story) -> None:
    auth = story.auth
    other = auth.access.camera(story.north, "hall", "house")
    gone = auth.access.camera(story.north, "gone", "yard")
    with auth.db.writing() as session:
        ResourceStore().remove(session, gone.camera_id, auth.clock.now())

    def seen(asker: Principal) -> list[Resource]:
        with auth.db.reading() as session:
            return auth.gate.visible_cameras(session, asker)

    assert seen(story.owner) == [story.camera, other]
    assert seen(story.keeper) == [story.camera]
    for asker in (story.stranger, story.admin, NOBODY, worker("sweep")):
        assert seen(asker) == []


def test_the_reading_clock_decides_when_time_is_in_doubt(story: Story) -> None:
    auth = story.auth
    guest = auth.access.person(story.north, "guest")
    auth.access.grant(guest, [Right.LIVE], valid_until=auth.clock.now() + timedelta(minutes=1))
    auth.clock.doubt = timedelta(minutes=2)
    with pytest.raises(NotFound):
        auth.gate.judge(guest, Right.LIVE, story.camera.camera_id)


@pytest.mark.parametrize(("right", "on"), [(None, On.WITHIN), (Right.LIVE, On.SELF), (Right.LIVE, On.PLATFORM)])
def test_a_gate_line_that_makes_no_sense_is_refused_where_it_is_written(right: Right | None, on: On) -> None:
    with pytest.raises(ValueError, match="does not go with"):
        needs(right, on)


def test_an_open_route_says_why() -> None:
    with pytest.raises(ValueError, match="why it is open"):
        public("")
    assert public("a probe asks this")["openapi_extra"] == {"x-needs": "nobody", "x-public": "a probe asks this"}


def test_the_openapi_note_says_what_the_gate_asks(story: Story) -> None:
    notes = {path: methods["get"]["x-needs"] for path, methods in story.app().openapi()["paths"].items()}
    assert notes == {
        "/cameras/{camera_id}/retention": "retain on camera",
        "/cameras/{camera_id}": "any right on camera",
        "/operators/{operator_id}/all": "retain on operator",
        "/operators/{operator_id}/some": "retain within operator",
        "/operators/{operator_id}": "membership on operator",
        "/self": "self",
        "/platform": "platform",
        "/open": "nobody",
    }


async def test_a_route_that_asked_for_no_right_has_no_yes_to_take(story: Story) -> None:
    app = story.app()

    @app.get("/confused/{camera_id}", **needs(None, on=On.CAMERA))
    def confused(camera_id: str, granted: Allowed) -> str:
        return granted.right

    async with story.auth.client(app) as client:
        with pytest.raises(RuntimeError, match="no right"):
            await client.get(f"/confused/{story.camera.camera_id}", headers=story.auth.bearer(story.owner))


async def test_without_the_middleware_everybody_is_nobody(story: Story) -> None:
    transport = httpx.ASGITransport(app=story.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://service.example.org") as client:
        answer = await client.get("/self", headers=story.auth.bearer(story.owner))
    assert answer.status_code == 401


def test_the_gate_writes_nothing_while_it_says_yes(story: Story, auth: AuthParts) -> None:
    granted = auth.gate.judge_operator(story.owner, Right.AUDIT, story.north)
    assert isinstance(granted, Granted)
    assert auth.noted() == []


def test_a_worker_is_refused_and_noted(story: Story) -> None:
    with pytest.raises(NotFound):
        story.auth.gate.judge(worker("sweep"), Right.LIVE, story.camera.camera_id)
    (noted,) = story.auth.noted(Tag.ACCESS_REFUSED)
    assert noted.actor == "worker"


def test_weighing_leaves_no_trace(story: Story) -> None:
    auth = story.auth
    with auth.db.writing() as session:
        verdict = auth.gate.weigh(session, story.stranger, Right.LIVE, story.camera.camera_id)
    assert verdict == Refused(Why.NO_GRANT, visible=False)
    assert auth.noted() == []


def test_a_service_refusal_is_noted_after_its_transaction(story: Story, auth: AuthParts) -> None:
    gate: Gate = auth.gate
    with pytest.raises(NotAllowed), gate.noting(story.viewer, Right.GRANT), auth.db.writing():
        raise NotAllowed("too much")
    (noted,) = auth.noted(Tag.ACCESS_REFUSED)
    assert (noted.reason, noted.operator_id) == ("not-allowed", OperatorId(story.north))
