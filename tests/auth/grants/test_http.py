"""Giving, changing and withdrawing rights over HTTP."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from auth.grants.service import GrantChange
from auth.principal import Principal, Right, Role
from tests.given.auth_app import AuthParts
from vms_privacy.audit.events import Tag
from vms_privacy.journal.rules import JournalKind

MISSING = "00000000-0000-4000-8000-000000000000"
WHO = ("nobody", "neighbour", "admin", "stranger", "viewer", "keeper", "manager", "owner")


class Story:
    """An operator with one of every sort, and a neighbour; `guest` is who rights are given to."""

    def __init__(self, auth: AuthParts) -> None:
        access = auth.access
        self.auth = auth
        self.north, self.south = access.operator("north"), access.operator("south")
        self.yard = access.camera(self.north, "gate", "yard/front")
        self.house = access.camera(self.north, "hall", "house")
        self.foreign = access.camera(self.south, "gate")
        self.nobody = None
        self.admin = access.platform_admin()
        self.neighbour = access.person(self.south, "neighbour")
        self.stranger = access.person(self.north, "stranger")
        self.viewer = access.person(self.north, "viewer")
        self.keeper = access.person(self.north, "keeper")
        self.manager = access.person(self.north, "manager")
        self.owner = access.person(self.north, "owner")
        self.guest = access.person(self.north, "guest")
        self.helper = access.person(self.north, "helper")
        access.grant(self.neighbour, Role.OWNER)
        access.grant(self.viewer, Role.VIEWER)
        access.grant(self.keeper, [Right.GRANT, Right.LIVE], group_path="yard")
        access.grant(self.manager, Role.OPERATOR)
        self.ownership = access.grant(self.owner, Role.OWNER)
        self.told: list[GrantChange] = []
        auth.grants.on_change(self.told.append)

    @property
    def path(self) -> str:
        return f"/api/v1/operators/{self.north}/grants"

    def asker(self, name: str) -> Principal | None:
        found: Principal | None = getattr(self, name)
        return found

    def wanted(self, **changes: Any) -> dict[str, Any]:
        camera = {"on": "camera", "camera_id": str(self.yard.camera_id)}
        return {"person_id": str(self.guest.person_id), "scope": camera, "terms": {"rights": ["live"]}} | changes

    async def ask(self, who: str, method: str, path: str, body: object = None) -> httpx.Response:
        async with self.auth.client() as client:
            return await client.request(method, path, json=body, headers=self.auth.bearer(self.asker(who)))

    async def give(self, who: str, **changes: Any) -> httpx.Response:
        return await self.ask(who, "POST", self.path, self.wanted(**changes))


@pytest.fixture
def story(auth: AuthParts) -> Story:
    return Story(auth)


@pytest.mark.parametrize(
    ("method", "outcomes"),
    [
        ("GET", (401, 404, 404, 403, 403, 200, 200, 200)),
        ("POST", (401, 404, 404, 403, 403, 201, 201, 201)),
        ("PUT", (401, 404, 404, 403, 403, 200, 200, 200)),
        ("DELETE", (401, 404, 404, 403, 403, 200, 200, 200)),
    ],
)
async def test_only_who_may_give_rights_reads_gives_changes_and_withdraws_them(
    story: Story, method: str, outcomes: tuple[int, ...]
) -> None:
    got = []
    for who in WHO:
        grant = story.auth.access.grant(story.guest, [Right.LIVE], story.yard.camera_id)
        path = f"{story.path}/{grant.id}" if method in {"PUT", "DELETE"} else story.path
        body: object = {"PUT": {"version": 1, "terms": {"rights": ["live"]}}, "POST": story.wanted()}.get(method)
        before = len(story.auth.noted(Tag.ACCESS_REFUSED))
        answer = await story.ask(who, method, path, body)
        got.append(answer.status_code)
        noted = story.auth.noted(Tag.ACCESS_REFUSED)[before:]
        assert len(noted) == (answer.status_code in {403, 404}), who
        assert all(one.detail == '{"right":"grant"}' for one in noted)
    assert tuple(got) == outcomes


@pytest.mark.parametrize(
    ("who", "change", "status"),
    [
        ("keeper", {"terms": {"rights": ["archive"]}}, 403),
        ("keeper", {"scope": {"on": "group", "group_path": "yard"}}, 201),
        ("keeper", {"scope": {"on": "group", "group_path": "yard/front"}}, 201),
        ("keeper", {"scope": {"on": "group", "group_path": "yard-2"}}, 403),
        ("keeper", {"scope": {"on": "operator"}}, 403),
        ("manager", {"scope": {"on": "operator"}, "terms": {"role": "viewer"}}, 201),
        ("manager", {"scope": {"on": "operator"}, "terms": {"role": "operator"}}, 201),
        ("manager", {"scope": {"on": "operator"}, "terms": {"role": "privacy-admin"}}, 403),
        ("manager", {"scope": {"on": "operator"}, "terms": {"role": "owner"}}, 403),
        ("owner", {"scope": {"on": "operator"}, "terms": {"role": "owner"}}, 201),
        ("owner", {"terms": {"rights": ["mask.lift"]}}, 403),
        ("owner", {"person_id": MISSING}, 404),
    ],
)
async def test_nobody_gives_more_than_they_hold(story: Story, who: str, change: dict[str, Any], status: int) -> None:
    answer = await story.give(who, **change)
    assert answer.status_code == status
    assert len(story.told) == (status == 201)
    assert len(story.auth.noted(Tag.GRANTED)) == (status == 201)


async def test_a_grant_that_ends_is_not_made_to_last_by_giving_it_on(story: Story) -> None:
    tomorrow = story.auth.clock.now() + timedelta(days=1)
    story.auth.access.grant(story.helper, [Right.GRANT, Right.ARCHIVE], valid_until=tomorrow, depth=timedelta(hours=1))
    for terms, status in (
        ({"rights": ["archive"]}, 403),
        ({"rights": ["archive"], "valid_until": tomorrow.isoformat()}, 403),
        ({"rights": ["archive"], "valid_until": tomorrow.isoformat(), "depth": "PT2H"}, 403),
        ({"rights": ["archive"], "valid_until": tomorrow.isoformat(), "depth": "PT1H"}, 201),
    ):
        assert (await story.give("helper", terms=terms)).status_code == status


async def test_foreign_and_invisible_things_answer_like_missing_ones(story: Story) -> None:
    """A foreign camera, a camera out of reach, a foreign person and a foreign grant."""
    theirs = story.auth.access.grant(story.neighbour, [Right.LIVE], story.foreign.camera_id)
    house = story.auth.access.grant(story.guest, [Right.LIVE], story.house.camera_id)
    answers = [
        await story.give("keeper", scope={"on": "camera", "camera_id": camera})
        for camera in (str(story.foreign.camera_id), str(story.house.camera_id), MISSING)
    ]
    answers += [await story.give("keeper", person_id=person) for person in (str(story.neighbour.person_id), MISSING)]
    answers += [
        await story.ask("keeper", "DELETE", f"{story.path}/{grant}") for grant in (theirs.id, house.id, MISSING)
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}


async def test_a_grant_is_told_as_it_was_given_and_read_by_its_holder(story: Story) -> None:
    story.told.clear()
    terms = {
        "role": "investigator",
        "valid_until": "2030-02-01T00:00:00Z",
        "depth": "PT24H",
        "window_from": "2030-01-14T00:00:00Z",
        "window_until": "2030-01-15T00:00:00+01:00",
    }
    made = (await story.give("owner", terms=terms)).json()
    assert made["rights"] == ["archive", "export", "live"]
    assert (made["role"], made["depth"], made["version"]) == ("investigator", "PT24H", 1)
    assert made["window_until"] == "2030-01-14T23:00:00Z"
    assert made["scope"] == {"on": "camera", "camera_id": str(story.yard.camera_id), "group_path": None}
    own = (await story.ask("guest", "GET", "/api/v1/auth/me/grants")).json()
    assert own == [made]
    (change,) = story.told
    assert (str(change.grant_id), change.version, change.camera_id) == (made["grant_id"], 1, story.yard.camera_id)


async def test_the_list_holds_what_ones_own_right_reaches(story: Story) -> None:
    story.auth.access.grant(story.guest, [Right.LIVE], story.yard.camera_id)
    story.auth.access.grant(story.guest, [Right.LIVE], story.house.camera_id)
    story.auth.access.grant(story.guest, [Right.LIVE], group_path="yard/back")
    listed = (await story.ask("keeper", "GET", story.path)).json()
    assert len(listed) == 3
    assert len((await story.ask("owner", "GET", story.path)).json()) == 7
    only = await story.ask("owner", "GET", f"{story.path}?person_id={story.guest.person_id}")
    assert {grant["person_id"] for grant in only.json()} == {str(story.guest.person_id)}
    assert len(only.json()) == 3


async def test_a_withdrawal_is_journalled_audited_told_and_counts_at_once(story: Story) -> None:
    grant = story.auth.access.grant(story.guest, [Right.LIVE], story.yard.camera_id)
    assert story.auth.gate.judge(story.guest, Right.LIVE, story.yard.camera_id)
    answer = await story.ask("owner", "DELETE", f"{story.path}/{grant.id}")
    assert answer.json()["version"] == 2
    assert answer.json()["withdrawn_at"] is not None

    (entry,) = story.auth.journal.entries()
    assert (entry.kind, dict(entry.facts)) == (
        JournalKind.REVOCATION,
        {"operator_id": str(story.north), "grant_id": str(grant.id), "version": 2, "act": "withdrawn"},
    )
    (noted,) = story.auth.noted(Tag.GRANT_WITHDRAWN)
    assert (noted.actor, noted.operator_id, noted.camera_id) == (
        story.owner.label,
        story.north,
        story.yard.camera_id,
    )
    assert story.told == [GrantChange(grant.id, 2, grant.person_id, story.yard.camera_id)]
    again = await story.ask("owner", "DELETE", f"{story.path}/{grant.id}")
    assert again.status_code == 404
    refused = await story.ask("guest", "GET", "/api/v1/auth/me/grants")
    assert refused.json() == []


async def test_who_hears_of_a_withdrawal_finds_it_committed(story: Story) -> None:
    grant = story.auth.access.grant(story.guest, [Right.LIVE], story.yard.camera_id)
    seen: list[object] = []

    def listen(_: GrantChange) -> None:
        with story.auth.db.reading() as session:
            seen.append(story.auth.gate.weigh(session, story.guest, Right.LIVE, story.yard.camera_id))

    story.auth.grants.on_change(listen)
    await story.ask("owner", "DELETE", f"{story.path}/{grant.id}")
    assert [getattr(one, "visible", None) for one in seen] == [False]


async def test_a_change_rises_the_version_and_is_refused_on_a_stale_one(story: Story) -> None:
    grant = story.auth.access.grant(story.guest, [Right.LIVE], story.yard.camera_id)
    path = f"{story.path}/{grant.id}"
    wanted = {"version": 1, "terms": {"rights": ["live", "archive"], "depth": "PT1H"}}
    changed = await story.ask("owner", "PUT", path, wanted)
    assert (changed.json()["version"], changed.json()["rights"]) == (2, ["archive", "live"])
    stale = await story.ask("owner", "PUT", path, wanted)
    assert (stale.status_code, stale.json()["code"], stale.json()["current"]) == (409, "stale-version", 2)
    assert [(one.version, one.grant_id) for one in story.told] == [(2, grant.id)]
    (entry,) = story.auth.journal.entries()
    assert entry.facts["act"] == "changed"


async def test_who_may_not_take_a_right_may_not_change_its_grant(story: Story) -> None:
    grant = story.auth.access.grant(story.guest, [Right.ERASE], story.yard.camera_id)
    wanted = {"version": 1, "terms": {"rights": ["live"]}}
    for method, body in (("PUT", wanted), ("DELETE", None)):
        assert (await story.ask("manager", method, f"{story.path}/{grant.id}", body)).status_code == 403
    assert list(story.auth.journal.entries()) == []


async def test_the_last_owner_stays_until_there_is_another(story: Story) -> None:
    path = f"{story.path}/{story.ownership.id}"
    narrower = {"version": 1, "terms": {"role": "viewer"}}
    ending = {"version": 1, "terms": {"role": "owner", "valid_until": "2031-01-01T00:00:00Z"}}
    for method, body in (("DELETE", None), ("PUT", narrower), ("PUT", ending)):
        refused = await story.ask("owner", method, path, body)
        assert (refused.status_code, refused.json()["code"]) == (409, "last-owner")
    story.auth.access.grant(story.guest, Role.OWNER)
    assert (await story.ask("owner", "DELETE", path)).status_code == 200


async def test_a_disabled_person_holds_nothing_and_is_given_nothing(story: Story) -> None:
    story.auth.access.grant(story.guest, [Right.LIVE], story.yard.camera_id)
    people = f"/api/v1/operators/{story.north}/people"
    assert (await story.ask("owner", "DELETE", f"{people}/{story.guest.person_id}")).status_code == 200
    with story.auth.db.reading() as session:
        verdict = story.auth.gate.weigh(session, story.guest, Right.LIVE, story.yard.camera_id)
    assert getattr(verdict, "visible", None) is False
    assert (await story.give("owner")).status_code == 404


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"terms": {}}, "invalid-request"),
        ({"terms": {"role": "viewer", "rights": ["live"]}}, "invalid-request"),
        ({"terms": {"rights": []}}, "invalid-request"),
        ({"terms": {"rights": ["fly"]}}, "invalid-request"),
        ({"terms": {"role": "king"}}, "invalid-request"),
        ({"terms": {"rights": ["live"], "depth": "P1M"}}, "invalid-request"),
        ({"terms": {"rights": ["live"], "valid_until": "2031-01-01T00:00:00"}}, "invalid-request"),
        ({"terms": {"rights": ["live"], "valid_until": "2029-01-01T00:00:00Z"}}, "terms-are-wrong"),
        ({"terms": {"rights": ["live"], "depth": "PT0S"}}, "terms-are-wrong"),
        (
            {
                "terms": {
                    "rights": ["archive"],
                    "window_from": "2030-01-02T00:00:00Z",
                    "window_until": "2030-01-01T00:00:00Z",
                }
            },
            "terms-are-wrong",
        ),
        ({"scope": {"on": "camera"}}, "invalid-request"),
        ({"scope": {"on": "operator", "group_path": "yard"}}, "invalid-request"),
        ({"scope": {"on": "group", "group_path": "../yard"}}, "invalid-request"),
        ({"scope": {"on": "group", "group_path": "yard/"}}, "invalid-request"),
        ({"scope": {"on": "group", "group_path": ""}}, "invalid-request"),
        ({"person_id": "anna"}, "invalid-request"),
        ({"because": "please"}, "invalid-request"),
    ],
)
async def test_a_bad_grant_gets_a_clear_answer(story: Story, change: dict[str, Any], code: str) -> None:
    answer = await story.give("owner", **change)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert story.auth.noted(Tag.GRANTED) == []
