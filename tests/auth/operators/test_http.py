"""Operators over HTTP: the platform's account data, and nobody else's business."""

from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from auth.identities.rules import LOGIN_WORDS
from tests.given.auth_app import AuthParts
from vms_privacy.audit.events import Tag
from vms_privacy.ids import OperatorId
from vms_privacy.web import NAME_WORDS

NEW = {"name": "harbour", "title": "Harbour watch"}


@pytest.mark.parametrize(("who", "status"), [("nobody", 401), ("person", 403), ("admin", 201)])
async def test_only_a_platform_admin_creates_operators(auth: AuthParts, who: str, status: int) -> None:
    north = auth.access.operator("north")
    askers = {"nobody": None, "person": auth.access.person(north, "anna"), "admin": auth.access.platform_admin()}
    async with auth.client() as client:
        answer = await client.post("/api/v1/operators", json=NEW, headers=auth.bearer(askers[who]))
    assert answer.status_code == status
    assert len(auth.noted(Tag.OPERATOR_CREATED)) == (status == 201)
    assert len(auth.noted(Tag.ACCESS_REFUSED)) == (status == 403)


@pytest.mark.parametrize(("who", "status"), [("nobody", 401), ("person", 403), ("admin", 200)])
async def test_only_a_platform_admin_lists_operators(auth: AuthParts, who: str, status: int) -> None:
    north = auth.access.operator("north")
    askers = {"nobody": None, "person": auth.access.person(north, "anna"), "admin": auth.access.platform_admin()}
    async with auth.client() as client:
        answer = await client.get("/api/v1/operators", headers=auth.bearer(askers[who]))
    assert answer.status_code == status


@pytest.mark.parametrize(("who", "status"), [("nobody", 401), ("neighbour", 404), ("admin", 404), ("member", 200)])
async def test_an_operator_is_read_by_its_own_people(auth: AuthParts, who: str, status: int) -> None:
    north, south = auth.access.operator("north"), auth.access.operator("south")
    askers = {
        "nobody": None,
        "neighbour": auth.access.person(south, "bert"),
        "admin": auth.access.platform_admin(),
        "member": auth.access.person(north, "anna"),
    }
    async with auth.client() as client:
        answer = await client.get(f"/api/v1/operators/{north}", headers=auth.bearer(askers[who]))
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["name"] == "north"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (NEW | {"name": "north"}, 409, "name-is-taken"),
        (NEW | {"name": "api"}, 422, "name-is-reserved"),
        (NEW | {"name": "../etc"}, 422, "invalid-request"),
        (NEW | {"name": "North"}, 422, "invalid-request"),
        (NEW | {"name": "a" * 64}, 422, "invalid-request"),
        (NEW | {"title": ""}, 422, "invalid-request"),
        (NEW | {"record": True}, 422, "invalid-request"),
        ({"name": "harbour"}, 422, "invalid-request"),
    ],
)
async def test_a_bad_operator_gets_a_clear_answer(
    auth: AuthParts, body: dict[str, object], status: int, code: str
) -> None:
    auth.access.operator("north")
    async with auth.client() as client:
        answer = await client.post("/api/v1/operators", json=body, headers=auth.bearer(auth.access.platform_admin()))
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_the_list_comes_in_pages_without_gap_or_repeat(auth: AuthParts) -> None:
    for number in range(5):
        auth.access.operator(f"operator-{number}")
    headers = auth.bearer(auth.access.platform_admin())
    seen: list[str] = []
    after: str | None = ""
    async with auth.client() as client:
        while after is not None:
            answer = await client.get("/api/v1/operators", params={"after": after, "limit": 2}, headers=headers)
            page = answer.json()
            seen += [operator["name"] for operator in page["items"]]
            after = page["next"]
    assert seen == [f"operator-{number}" for number in range(5)]


async def test_what_a_name_a_log_in_and_a_password_are_is_said_in_words(auth: AuthParts) -> None:
    admin = auth.bearer(auth.access.platform_admin())
    boot = {"code": "b1.x", "login": "Ann", "password": "s3cr3t"}
    async with auth.client() as client:
        named = await client.post("/api/v1/operators", json=NEW | {"name": "Acme Ltd"}, headers=admin)
        booted = await client.post("/api/v1/auth/bootstrap", json=boot)
    assert named.json()["errors"] == [{"where": "body/name", "what": NAME_WORDS}]
    assert booted.json()["errors"] == [
        {"where": "body/login", "what": LOGIN_WORDS},
        {"where": "body/password", "what": "at least 12 characters"},
    ]


@pytest.mark.parametrize(("who", "status"), [("nobody", 401), ("person", 403), ("admin", 200)])
async def test_only_a_platform_admin_says_where_footage_goes(auth: AuthParts, who: str, status: int) -> None:
    north = auth.access.operator("north")
    askers = {"nobody": None, "person": auth.access.person(north, "anna"), "admin": auth.access.platform_admin()}
    path, body = f"/api/v1/operators/{north}/region", {"region": "elsewhere"}
    async with auth.client() as client:
        answer = await client.put(path, json=body, headers=auth.bearer(askers[who]))
        again = await client.put(path, json=body, headers=auth.bearer(askers[who]))
        read = await client.get(f"/api/v1/operators/{north}", headers=auth.bearer(askers["person"]))
    assert (answer.status_code, again.status_code) == (status, status)
    assert read.json()["region"] == ("elsewhere" if status == 200 else "here")
    assert len(auth.noted(Tag.OPERATOR_REGION_SET)) == (2 if status == 200 else 0)


async def test_a_region_without_a_store_is_never_promised(auth: AuthParts) -> None:
    north = auth.access.operator("north")
    admin = auth.bearer(auth.access.platform_admin())
    async with auth.client() as client:
        moved = await client.put(f"/api/v1/operators/{north}/region", json={"region": "moon"}, headers=admin)
        made = await client.post("/api/v1/operators", json=NEW | {"region": "moon"}, headers=admin)
        nobody = await client.put(
            f"/api/v1/operators/{OperatorId(UUID(int=9))}/region", json={"region": "here"}, headers=admin
        )
    assert [(one.status_code, one.json()["code"]) for one in (moved, made)] == [(422, "region-is-not-served")] * 2
    assert (nobody.status_code, nobody.json()["code"]) == (404, "not-found")
    assert auth.noted(Tag.OPERATOR_REGION_SET) == []


async def test_a_new_operators_footage_goes_to_the_first_region_or_to_the_one_that_is_named(auth: AuthParts) -> None:
    admin = auth.bearer(auth.access.platform_admin())
    async with auth.client() as client:
        first = await client.post("/api/v1/operators", json=NEW, headers=admin)
        named = await client.post(
            "/api/v1/operators", json=NEW | {"name": "south", "region": "elsewhere"}, headers=admin
        )
        listed = await client.get("/api/v1/operators", headers=admin)
    assert (first.json()["region"], named.json()["region"]) == ("here", "elsewhere")
    assert {one["name"]: one["region"] for one in listed.json()["items"]} == {"harbour": "here", "south": "elsewhere"}


def test_no_statement_changes_what_was_promised(auth: AuthParts) -> None:
    auth.access.operator("north")
    for statement in ("UPDATE operator_region SET region = 'moon'", "DELETE FROM operator_region"):
        with auth.db.writing() as session, pytest.raises(IntegrityError, match="only ever added"):
            session.execute(text(statement))
