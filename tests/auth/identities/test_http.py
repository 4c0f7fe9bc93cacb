"""From `init` to an operator's people, over HTTP; and who may do what to whom."""

from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select

from auth.identities.store import PersonStore
from auth.principal import Principal, Right, Role
from auth.sessions.tables import LoginSessionRow
from tests.given.auth_app import AuthParts
from vms_privacy.audit.events import Tag
from vms_privacy.ids import OperatorId, PersonId
from vms_privacy.journal.rules import JournalKind

PASSWORD = "a long enough password"
BERT = {"login": "bert", "display_name": "Bert"}


def given_code(auth: AuthParts) -> str:
    with auth.db.writing() as session:
        return auth.enrolment.make_bootstrap_code(session)


async def log_in(client: httpx.AsyncClient, username: str, password: str = PASSWORD) -> httpx.Response:
    body = {"grant_type": "password", "username": username, "password": password}
    return await client.post("/api/v1/auth/token", json=body)


async def bearer(client: httpx.AsyncClient, username: str, password: str = PASSWORD) -> dict[str, str]:
    answer = await log_in(client, username, password)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def test_from_the_bootstrap_code_to_an_operators_people(auth: AuthParts) -> None:
    code = given_code(auth)
    async with auth.client() as client:
        boot = {"code": code, "login": "root", "password": PASSWORD}
        assert (await client.post("/api/v1/auth/bootstrap", json=boot)).status_code == 201
        admin = await bearer(client, "root")

        new = {"name": "north", "title": "North"}
        operator = (await client.post("/api/v1/operators", json=new, headers=admin)).json()["operator_id"]
        path = f"/api/v1/operators/{operator}"
        owner = {"login": "anna", "display_name": "Anna"}
        invited = await client.post(f"{path}/owner", json=owner, headers=admin)
        assert invited.status_code == 201
        assert invited.headers["cache-control"] == "no-store"
        enrolment = {"code": invited.json()["code"], "password": PASSWORD}
        assert (await client.post("/api/v1/auth/enrolment", json=enrolment)).status_code == 200
        anna = await bearer(client, "anna")

        invited = await client.post(f"{path}/people", json=BERT, headers=anna)
        assert invited.status_code == 201
        listed = (await client.get(f"{path}/people", headers=anna)).json()
        assert [(one["login"], one["has_password"]) for one in listed["items"]] == [("anna", True), ("bert", False)]

        grants = (await client.get("/api/v1/auth/me/grants", headers=anna)).json()
        assert [one["role"] for one in grants] == ["owner"]
        assert (await client.get("/api/v1/auth/me/grants", headers=admin)).json() == []


async def test_the_bootstrap_code_makes_one_platform_admin_and_no_second(auth: AuthParts) -> None:
    code = given_code(auth)
    boot = {"code": code, "login": "root", "password": PASSWORD}
    async with auth.client() as client:
        wrong = await client.post("/api/v1/auth/bootstrap", json=boot | {"code": "b1.unknown"})
        assert (wrong.status_code, wrong.json()["code"]) == (403, "code-is-unknown")
        first = await client.post("/api/v1/auth/bootstrap", json=boot)
        assert first.status_code == 201
        second = await client.post("/api/v1/auth/bootstrap", json=boot | {"login": "root2"})
        assert (second.status_code, second.json()["code"]) == (410, "code-is-spent")
    assert len(auth.noted(Tag.PERSON_CREATED)) == 1


async def test_the_bootstrap_code_is_good_for_a_day_and_a_new_one_replaces_it(auth: AuthParts) -> None:
    old, new = given_code(auth), given_code(auth)
    async with auth.client() as client:
        replaced = await client.post(
            "/api/v1/auth/bootstrap", json={"code": old, "login": "root", "password": PASSWORD}
        )
        assert replaced.status_code == 410
        auth.clock.forward(timedelta(hours=24))
        late = await client.post("/api/v1/auth/bootstrap", json={"code": new, "login": "root", "password": PASSWORD})
        assert late.status_code == 410


async def test_a_code_for_one_purpose_is_unknown_to_the_other(auth: AuthParts) -> None:
    code = given_code(auth)
    async with auth.client() as client:
        answer = await client.post("/api/v1/auth/enrolment", json={"code": code, "password": PASSWORD})
    assert answer.json()["code"] == "code-is-unknown"


async def test_guessing_codes_is_slowed_down(auth: AuthParts) -> None:
    async with auth.client() as client:
        answers = [
            await client.post("/api/v1/auth/enrolment", json={"code": f"e1.{number}", "password": PASSWORD})
            for number in range(21)
        ]
    assert [answer.status_code for answer in answers] == [403] * 20 + [429]


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", "invalid-request"),
        ("x" * 1025, "invalid-request"),
        ("aaaaaaaaaaaaaaaa", "weak-password"),
        ("Anna@Example.org", "weak-password"),
    ],
)
async def test_a_password_too_easy_to_guess_is_refused_and_the_code_still_counts(
    auth: AuthParts, password: str, code: str
) -> None:
    boot = {"code": given_code(auth), "login": "anna@example.org", "password": password}
    async with auth.client() as client:
        answer = await client.post("/api/v1/auth/bootstrap", json=boot)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert password not in answer.text
        assert (await client.post("/api/v1/auth/bootstrap", json=boot | {"password": PASSWORD})).status_code == 201


class Story:
    """An operator with one of every sort, and a neighbour."""

    def __init__(self, auth: AuthParts) -> None:
        access = auth.access
        self.north, self.south = access.operator("north"), access.operator("south")
        self.nobody = None
        self.admin = access.platform_admin()
        self.neighbour = access.person(self.south, "neighbour")
        self.stranger = access.person(self.north, "stranger")
        self.viewer = access.person(self.north, "viewer")
        self.keeper = access.person(self.north, "keeper")
        self.manager = access.person(self.north, "manager")
        self.owner = access.person(self.north, "owner")
        access.grant(self.neighbour, Role.OWNER)
        access.grant(self.viewer, Role.VIEWER)
        access.grant(self.keeper, [Right.GRANT], group_path="yard")
        access.grant(self.manager, Role.OPERATOR)
        access.grant(self.owner, Role.OWNER)
        assert self.owner.person_id is not None
        with auth.db.writing() as session:
            PersonStore().set_password(session, self.owner.person_id, auth.passwords.hash(PASSWORD))

    def asker(self, name: str) -> Principal | None:
        found: Principal | None = getattr(self, name)
        return found


@pytest.fixture
def story(auth: AuthParts) -> Story:
    return Story(auth)


WHO = ("nobody", "neighbour", "admin", "stranger", "viewer", "keeper", "manager", "owner")


@pytest.mark.parametrize(
    ("method", "path", "body", "outcomes"),
    [
        ("GET", "/people", None, (401, 404, 404, 403, 403, 403, 200, 200)),
        ("POST", "/people", "new", (401, 404, 404, 403, 403, 403, 201, 201)),
        ("POST", "/people/{viewer}/invitation", None, (401, 404, 404, 403, 403, 403, 201, 201)),
        ("POST", "/people/{owner}/invitation", None, (401, 404, 404, 403, 403, 403, 403, 201)),
        ("DELETE", "/people/{viewer}", None, (401, 404, 404, 403, 403, 403, 200, 200)),
        ("DELETE", "/people/{owner}", None, (401, 404, 404, 403, 403, 403, 403, 409)),
        ("POST", "/people/{neighbour}/invitation", None, (401, 404, 404, 403, 403, 403, 404, 404)),
        ("DELETE", "/people/{neighbour}", None, (401, 404, 404, 403, 403, 403, 404, 404)),
        ("POST", "/owner", "new", (401, 403, 409, 403, 403, 403, 403, 403)),
    ],
)
async def test_only_who_holds_enough_manages_people(
    auth: AuthParts, story: Story, method: str, path: str, body: str | None, outcomes: tuple[int, ...]
) -> None:
    named = {name: getattr(story, name).person_id for name in WHO if name != "nobody"}
    asked = f"/api/v1/operators/{story.north}{path.format(**named)}"
    got = []
    async with auth.client() as client:
        for number, who in enumerate(WHO):
            new = {"login": f"new-{number}", "display_name": "New"} if body else None
            headers = auth.bearer(story.asker(who))
            before = len(auth.noted(Tag.ACCESS_REFUSED))
            answer = await client.request(method, asked, json=new, headers=headers)
            got.append(answer.status_code)
            refused = answer.status_code in {403, 404}
            assert len(auth.noted(Tag.ACCESS_REFUSED)) - before == refused, who
    assert tuple(got) == outcomes


async def test_a_foreign_persons_id_answers_like_one_that_does_not_exist(auth: AuthParts, story: Story) -> None:
    path = f"/api/v1/operators/{story.north}/people"
    async with auth.client() as client:
        answers = [
            await client.delete(f"{path}/{person_id}", headers=auth.bearer(story.owner))
            for person_id in (story.neighbour.person_id, "00000000-0000-4000-8000-000000000000")
        ]
    assert answers[0].content == answers[1].content
    assert answers[0].headers == answers[1].headers


async def test_the_platform_invites_a_first_owner_only_until_somebody_has_come(auth: AuthParts) -> None:
    north = auth.access.operator("north")
    admin = auth.bearer(auth.access.platform_admin())
    path = f"/api/v1/operators/{north}/owner"
    async with auth.client() as client:
        lost = (await client.post(path, json={"login": "anna", "display_name": "Anna"}, headers=admin)).json()
        again = (await client.post(path, json=BERT, headers=admin)).json()
        enrolment = {"code": lost["code"], "password": PASSWORD}
        assert (await client.post("/api/v1/auth/enrolment", json=enrolment)).status_code == 410
        enrolment = {"code": again["code"], "password": PASSWORD}
        assert (await client.post("/api/v1/auth/enrolment", json=enrolment)).status_code == 200
        over = await client.post(path, json={"login": "carl", "display_name": "Carl"}, headers=admin)
        assert (over.status_code, over.json()["code"]) == (409, "has-an-owner")
        nowhere = await client.post(
            "/api/v1/operators/00000000-0000-4000-8000-000000000000/owner", json=BERT, headers=admin
        )
        assert nowhere.status_code == 404


async def test_an_owner_who_never_came_is_invited_anew_and_stays_the_one_owner(auth: AuthParts) -> None:
    north = auth.access.operator("north")
    admin = auth.bearer(auth.access.platform_admin())
    path = f"/api/v1/operators/{north}/owner"
    async with auth.client() as client:
        lost = (await client.post(path, json=BERT, headers=admin)).json()
        again = (await client.post(path, json=BERT, headers=admin)).json()
        assert again["person_id"] == lost["person_id"]
        enrolment = {"code": lost["code"], "password": PASSWORD}
        assert (await client.post("/api/v1/auth/enrolment", json=enrolment)).status_code == 410
        enrolment = {"code": again["code"], "password": PASSWORD}
        assert (await client.post("/api/v1/auth/enrolment", json=enrolment)).status_code == 200
        grants = (await client.get("/api/v1/auth/me/grants", headers=await bearer(client, "bert"))).json()
    assert [one["role"] for one in grants] == ["owner"]


async def test_a_code_is_not_used_up_by_another_log_in_and_that_is_counted_as_a_refusal(auth: AuthParts) -> None:
    north = auth.access.operator("north")
    admin = auth.bearer(auth.access.platform_admin())
    async with auth.client() as client:
        invited = (await client.post(f"/api/v1/operators/{north}/owner", json=BERT, headers=admin)).json()
        enrolment = {"code": invited["code"], "password": PASSWORD}
        other = await client.post("/api/v1/auth/enrolment", json=enrolment | {"login": "carl"})
        assert (other.status_code, other.json()["code"]) == (409, "code-is-anothers")
        assert auth.refusals.flush_all() == 1
        mine = await client.post("/api/v1/auth/enrolment", json=enrolment | {"login": "bert"})
        assert (mine.status_code, mine.json()["login"]) == (200, "bert")


async def given_enrolled(auth: AuthParts, client: httpx.AsyncClient, operator_id: OperatorId, owner: Principal) -> str:
    path = f"/api/v1/operators/{operator_id}/people"
    invited = (await client.post(path, json=BERT, headers=auth.bearer(owner))).json()
    enrolment = {"code": invited["code"], "password": PASSWORD}
    assert (await client.post("/api/v1/auth/enrolment", json=enrolment)).status_code == 200
    return str(invited["person_id"])


async def test_disabling_ends_sessions_and_log_ins_at_once_and_is_told_journalled_and_audited(
    auth: AuthParts, story: Story
) -> None:
    told: list[PersonId] = []
    auth.people.on_disabled(told.append)
    async with auth.client() as client:
        bert_id = await given_enrolled(auth, client, story.north, story.owner)
        bert = await bearer(client, "bert")
        assert (await client.get("/api/v1/auth/me", headers=bert)).status_code == 200
        path = f"/api/v1/operators/{story.north}/people/{bert_id}"
        for _ in range(2):
            gone = await client.delete(path, headers=auth.bearer(story.owner))
            assert gone.status_code == 200
            assert gone.json()["disabled_at"] is not None
        assert (await client.get("/api/v1/auth/me", headers=bert)).json()["reason"] == "session-ended"
        assert (await log_in(client, "bert")).status_code == 401
        again = await client.post(f"{path}/invitation", headers=auth.bearer(story.owner))
        assert (again.status_code, again.json()["code"]) == (409, "person-is-disabled")
    with auth.db.reading() as session:
        bert_sessions = select(LoginSessionRow.ended_why).where(LoginSessionRow.person_id == told[0])
        assert session.scalars(bert_sessions).all() == ["person-disabled"]
    assert [str(person_id) for person_id in told] == [bert_id]
    assert len(auth.noted(Tag.PERSON_DISABLED)) == 1
    (entry,) = auth.journal.entries()
    assert (entry.kind, entry.facts["person_id"], entry.facts["act"]) == (JournalKind.REVOCATION, bert_id, "disabled")


async def test_changing_the_password_ends_the_other_sessions_and_needs_the_present_one(
    auth: AuthParts, story: Story
) -> None:
    async with auth.client() as client:
        await given_enrolled(auth, client, story.north, story.owner)
        here, elsewhere = await bearer(client, "bert"), await bearer(client, "bert")
        wanted = {"present": "not the password", "wanted": "another long password"}
        wrong = await client.put("/api/v1/auth/password", json=wanted, headers=here)
        assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong-password")
        changed = await client.put("/api/v1/auth/password", json=wanted | {"present": PASSWORD}, headers=here)
        assert changed.status_code == 204
        assert (await client.get("/api/v1/auth/me", headers=here)).status_code == 200
        assert (await client.get("/api/v1/auth/me", headers=elsewhere)).status_code == 401
        assert (await log_in(client, "bert")).status_code == 401
        await bearer(client, "bert", "another long password")
    assert [one.outcome for one in auth.noted(Tag.PASSWORD_CHANGED)] == ["done", "refused", "done"]


async def test_a_stolen_access_token_is_no_way_to_guess_the_password(auth: AuthParts, story: Story) -> None:
    async with auth.client() as client:
        await given_enrolled(auth, client, story.north, story.owner)
        bert = await bearer(client, "bert")
        wanted = {"present": "not the password", "wanted": "another long password"}
        answers = [await client.put("/api/v1/auth/password", json=wanted, headers=bert) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [403] * 5 + [429]


async def test_a_new_invitation_ends_old_sessions_once_it_is_used_and_not_before(auth: AuthParts, story: Story) -> None:
    async with auth.client() as client:
        bert_id = await given_enrolled(auth, client, story.north, story.owner)
        bert = await bearer(client, "bert")
        path = f"/api/v1/operators/{story.north}/people/{bert_id}/invitation"
        invited = (await client.post(path, headers=auth.bearer(story.owner))).json()
        assert (await client.get("/api/v1/auth/me", headers=bert)).status_code == 200
        enrolment = {"code": invited["code"], "password": "another long password"}
        assert (await client.post("/api/v1/auth/enrolment", json=enrolment)).status_code == 200
        assert (await client.post("/api/v1/auth/enrolment", json=enrolment)).status_code == 410
        assert (await client.get("/api/v1/auth/me", headers=bert)).status_code == 401
        await bearer(client, "bert", "another long password")


async def test_nobody_logs_in_before_setting_a_password(auth: AuthParts, story: Story) -> None:
    async with auth.client() as client:
        assert (await log_in(client, "viewer", "")).status_code == 401
        changed = await client.put(
            "/api/v1/auth/password", json={"present": "", "wanted": PASSWORD}, headers=auth.bearer(story.viewer)
        )
        assert changed.status_code == 403


async def test_a_log_in_is_taken_once_for_all(auth: AuthParts, story: Story) -> None:
    async with auth.client() as client:
        taken = {"login": "neighbour", "display_name": "Another one"}
        path = f"/api/v1/operators/{story.north}/people"
        answer = await client.post(path, json=taken, headers=auth.bearer(story.owner))
    assert (answer.status_code, answer.json()["code"]) == (409, "name-is-taken")


async def test_no_secret_reaches_audit_or_journal(auth: AuthParts, story: Story) -> None:
    async with auth.client() as client:
        await given_enrolled(auth, client, story.north, story.owner)
        tokens = (await log_in(client, "bert")).json()
        await log_in(client, "bert", "canary-wrong-password")
    written = repr(auth.noted()) + repr(list(auth.journal.entries()))
    for secret in (PASSWORD, "canary-wrong-password", tokens["access_token"], tokens["refresh_token"], "Bert", '"bert'):
        assert secret not in written


def test_secrets_arrive_only_under_auth(auth: AuthParts) -> None:
    """AC-4: the OpenAPI document marks every secret field as a password; none is outside of /api/v1/auth."""
    document = auth.app().openapi()

    def names(shape: object, seen: set[str]) -> set[str]:
        """Every schema that a body reaches."""
        found: set[str] = set()
        if isinstance(shape, dict):
            reference = str(shape.get("$ref", "")).rpartition("/")[2]
            if reference and reference not in seen:
                found |= {reference} | names(document["components"]["schemas"][reference], seen | {reference})
            for value in shape.values():
                found |= names(value, seen)
        if isinstance(shape, list):
            for value in shape:
                found |= names(value, seen)
        return found

    secret = {
        name
        for name, shape in document["components"]["schemas"].items()
        if any(one.get("format") == "password" for one in shape.get("properties", {}).values())
    }
    takes_secrets = {
        path
        for path, methods in document["paths"].items()
        for operation in methods.values()
        if names(operation.get("requestBody"), set()) & secret
    }
    assert takes_secrets == {
        "/api/v1/auth/token",
        "/api/v1/auth/bootstrap",
        "/api/v1/auth/enrolment",
        "/api/v1/auth/password",
    }
