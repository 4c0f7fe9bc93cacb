"""Log-in, refresh, log-out over HTTP."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select

from auth.errors import LogInRefused, NotAuthenticated
from auth.identities.passwords import Cost, Passwords
from auth.identities.rules import Person
from auth.identities.store import PersonStore
from auth.principal import Principal, PrincipalKind
from auth.sessions.rules import Stranger, WhyNot
from auth.sessions.service import STORED_REFUSALS_PER_MINUTE, LoginService, Tokens
from auth.sessions.tables import LoginSessionRow
from tests.given.auth_app import AuthParts
from vms_privacy.audit.events import Tag
from vms_privacy.ids import PersonId

PASSWORD = "a long enough password"


def given_anna(auth: AuthParts, password: str = PASSWORD) -> PersonId:
    operator_id = auth.access.operator("north")
    person_id = PersonId(auth.randomness.uuid())
    with auth.db.writing() as session:
        person = Person(person_id, operator_id, "anna", "Anna", True, auth.clock.now(), None)
        PersonStore().add(session, person, auth.passwords.hash(password))
    return person_id


async def log_in(client: httpx.AsyncClient, username: str = "anna", password: str = PASSWORD) -> httpx.Response:
    body = {"grant_type": "password", "username": username, "password": password}
    return await client.post("/api/v1/auth/token", json=body)


async def refresh(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post("/api/v1/auth/token", json={"grant_type": "refresh_token", "refresh_token": token})


async def me(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"})


async def test_in_doubt_about_the_time_one_can_log_in_and_the_tokens_count(auth: AuthParts) -> None:
    anna = given_anna(auth)
    auth.clock.doubt = timedelta(days=1)
    async with auth.client() as client:
        told = (await log_in(client)).json()
        assert told["expires_in"] == 900
        assert (await me(client, told["access_token"])).json()["person_id"] == str(anna)
        again = (await refresh(client, told["refresh_token"])).json()
        assert (await me(client, again["access_token"])).status_code == 200
        auth.clock.forward(timedelta(seconds=900))
        assert (await me(client, again["access_token"])).status_code == 401


async def test_a_person_with_the_right_password_gets_tokens_that_say_who_they_are(auth: AuthParts) -> None:
    anna = given_anna(auth)
    async with auth.client() as client:
        answer = await log_in(client)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        told = answer.json()
        assert told["token_type"] == "Bearer"
        assert told["expires_in"] == 900
        assert told["access_token"].startswith("a1.")
        who = await me(client, told["access_token"])
    assert who.json() | {"operator_id": "", "session_id": ""} == {
        "person_id": str(anna),
        "login": "anna",
        "display_name": "Anna",
        "kind": "person",
        "operator_id": "",
        "session_id": "",
    }
    assert [one.actor for one in auth.noted(Tag.LOGGED_IN)] == [f"person:{anna}"]


async def test_unknown_disabled_and_wrong_password_get_the_same_bytes(auth: AuthParts) -> None:
    anna = given_anna(auth)
    async with auth.client() as client:
        wrong = await log_in(client, password="not the password")
        unknown = await log_in(client, username="nobody-here")
        with auth.db.writing() as session:
            PersonStore().disable(session, anna, auth.clock.now())
        disabled = await log_in(client)
    assert wrong.status_code == 401
    assert wrong.json()["code"] == "log-in-refused"
    assert wrong.headers["www-authenticate"].startswith("Bearer")
    for other in (unknown, disabled):
        assert other.content == wrong.content
        assert dict(other.headers) == dict(wrong.headers)
    assert len(auth.noted(Tag.LOG_IN_REFUSED)) == 3


def test_an_unknown_log_in_runs_the_same_statements_as_a_wrong_password(auth: AuthParts) -> None:
    given_anna(auth)
    ran = []
    for login in ("anna", "nobody-here"):
        with auth.counted_statements() as statements, pytest.raises(LogInRefused):
            auth.logins.log_in(login, "not the password", "here")
        ran.append(statements)
    assert ran[0] == ran[1]
    assert any(statement.startswith("INSERT INTO audit_event") for statement in ran[0])


def test_a_flood_of_refused_log_ins_is_counted_and_does_not_fill_the_disk(auth: AuthParts) -> None:
    for number in range(STORED_REFUSALS_PER_MINUTE + 30):
        with pytest.raises(LogInRefused):
            auth.logins.log_in(f"guess-{number}", "not the password", f"source-{number}")
    assert len(auth.noted(Tag.LOG_IN_REFUSED)) == STORED_REFUSALS_PER_MINUTE
    auth.refusals.flush_all()
    assert '"count":30' in auth.noted(Tag.LOG_IN_REFUSED)[-1].detail.replace(" ", "")


def test_of_two_refreshes_at_once_with_one_token_one_wins_and_the_family_ends(auth: AuthParts) -> None:
    given_anna(auth)
    refresh_token = auth.logins.log_in("anna", PASSWORD, "here").refresh_token
    together = threading.Barrier(2)

    def use_it() -> Tokens | str:
        together.wait(10)
        try:
            return auth.logins.refresh(refresh_token)
        except NotAuthenticated as refusal:
            return str(refusal.facts["reason"])

    with ThreadPoolExecutor(2) as threads:
        first, second = (future.result() for future in [threads.submit(use_it), threads.submit(use_it)])
    tokens = first if isinstance(first, Tokens) else second
    assert isinstance(tokens, Tokens)
    assert "refresh-replayed" in {first, second}
    assert auth.logins.identify(tokens.access_token) == Stranger(WhyNot.ENDED)


def test_a_password_of_yesterdays_cost_is_hashed_again_at_log_in(auth: AuthParts) -> None:
    anna = given_anna(auth)
    dearer = Passwords(auth.randomness, Cost(memory_kib=128, passes=1))
    logins = LoginService(
        auth.db, auth.clock, auth.randomness, dearer, auth.audit, auth.throttle, auth.refusals, auth.memory
    )
    logins.log_in("anna", PASSWORD, "here")
    with auth.db.reading() as session:
        stored = PersonStore().password_of(session, anna)
    assert stored is not None
    assert "m=128," in stored
    logins.log_in("anna", PASSWORD, "here")


async def test_what_the_database_holds_logs_nobody_in(auth: AuthParts) -> None:
    given_anna(auth)
    async with auth.client() as client:
        told = (await log_in(client)).json()
    with auth.db.reading() as session:
        row = session.scalars(select(LoginSessionRow)).one()
        stored = repr([getattr(row, column.key) for column in LoginSessionRow.__table__.columns])
    for secret in (told["access_token"], told["refresh_token"], *told["refresh_token"].split(".")[1:]):
        assert secret not in stored


async def test_an_access_token_counts_for_fifteen_minutes(auth: AuthParts) -> None:
    given_anna(auth)
    async with auth.client() as client:
        told = (await log_in(client)).json()
        auth.clock.forward(timedelta(minutes=15) - timedelta(microseconds=1))
        assert (await me(client, told["access_token"])).status_code == 200
        auth.clock.forward(timedelta(microseconds=1))
        late = await me(client, told["access_token"])
    assert late.status_code == 401
    assert late.json()["reason"] == "token-expired"


async def test_a_refresh_token_works_once_and_its_replay_ends_the_family(auth: AuthParts) -> None:
    anna = given_anna(auth)
    async with auth.client() as client:
        first = (await log_in(client)).json()
        second = (await refresh(client, first["refresh_token"])).json()
        assert (await me(client, first["access_token"])).status_code == 401
        assert (await me(client, second["access_token"])).status_code == 200
        third = (await refresh(client, second["refresh_token"])).json()

        replayed = await refresh(client, first["refresh_token"])
        assert replayed.status_code == 401
        assert replayed.json()["reason"] == "refresh-replayed"

        assert (await me(client, third["access_token"])).status_code == 401
        after = await refresh(client, third["refresh_token"])
    assert after.json()["reason"] == "session-ended"
    assert [one.actor for one in auth.noted(Tag.REFRESH_REPLAYED)] == [f"person:{anna}"]


async def test_a_replay_on_one_device_leaves_the_other_device_logged_in(auth: AuthParts) -> None:
    given_anna(auth)
    async with auth.client() as client:
        phone, tablet = (await log_in(client)).json(), (await log_in(client)).json()
        await refresh(client, phone["refresh_token"])
        await refresh(client, phone["refresh_token"])
        assert (await me(client, tablet["access_token"])).status_code == 200


async def test_refreshing_does_not_lengthen_thirty_days(auth: AuthParts) -> None:
    given_anna(auth)
    async with auth.client() as client:
        told = (await log_in(client)).json()
        auth.clock.forward(timedelta(days=30) - timedelta(minutes=5))
        told = (await refresh(client, told["refresh_token"])).json()
        assert told["expires_in"] == 300
        auth.clock.forward(timedelta(minutes=5))
        assert (await refresh(client, told["refresh_token"])).json()["reason"] == "token-expired"


async def test_after_logging_out_no_token_of_the_session_counts(auth: AuthParts) -> None:
    given_anna(auth)
    async with auth.client() as client:
        told = (await log_in(client)).json()
        bearer = {"Authorization": f"Bearer {told['access_token']}"}
        assert (await client.post("/api/v1/auth/logout", headers=bearer)).status_code == 204
        assert (await me(client, told["access_token"])).json()["reason"] == "session-ended"
        assert (await refresh(client, told["refresh_token"])).json()["reason"] == "session-ended"
    assert len(auth.noted(Tag.LOGGED_OUT)) == 1


async def test_many_wrong_passwords_slow_down_and_the_right_one_works_later(auth: AuthParts) -> None:
    given_anna(auth)
    async with auth.client() as client:
        for _ in range(5):
            assert (await log_in(client, password="not the password")).status_code == 401
        slowed = await log_in(client)
        assert slowed.status_code == 429
        assert slowed.json()["code"] == "too-many-attempts"
        auth.clock.forward(timedelta(seconds=int(slowed.headers["retry-after"])))
        assert (await log_in(client)).status_code == 200
        for _ in range(5):
            assert (await log_in(client, password="not the password")).status_code == 401
    assert '"wait_seconds":1' in auth.noted(Tag.LOG_IN_REFUSED)[4].detail.replace(" ", "")


async def test_an_unknown_log_in_is_slowed_down_like_a_known_one(auth: AuthParts) -> None:
    given_anna(auth)
    answers = {}
    for username in ("anna", "nobody-here"):
        async with auth.client(host=f"198.51.100.{len(username)}") as client:
            answers[username] = [
                (answer.status_code, answer.content)
                for answer in [await log_in(client, username, "not the password") for _ in range(8)]
            ]
    assert answers["anna"] == answers["nobody-here"]


async def test_one_source_guessing_at_many_accounts_is_slowed_down_and_others_are_not(auth: AuthParts) -> None:
    given_anna(auth)
    async with auth.client(host="2001:db8::1") as client:
        for number in range(20):
            await log_in(client, username=f"guess-{number}")
        assert (await log_in(client)).status_code == 429
    async with auth.client(host="2001:db8::2") as same_network:
        assert (await log_in(same_network)).status_code == 429
    async with auth.client(host="2001:db8:0:1::1") as other:
        assert (await log_in(other)).status_code == 200


async def test_a_body_that_says_more_or_less_than_it_should_is_refused(auth: AuthParts) -> None:
    right = {"grant_type": "password", "username": "anna", "password": PASSWORD}
    wrong: list[object] = [
        right | {"scope": "all"},
        {"grant_type": "password", "username": "anna"},
        {"grant_type": "client_credentials", "username": "anna", "password": PASSWORD},
        right | {"password": 5},
        right | {"password": "x" * 1025},
        right | {"username": "\ud800", "password": PASSWORD},
        [],
        None,
    ]
    as_json = {"Content-Type": "application/json"}
    async with auth.client() as client:
        for body in wrong:
            answer = await client.post("/api/v1/auth/token", content=json.dumps(body).encode(), headers=as_json)
            assert answer.status_code == 422, body
            assert PASSWORD not in answer.text


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, None),
        ("Basic YTpi", None),
        ("Bearer", None),
        ("Bearer a1.unknown", "unknown-token"),
        ("Bearer r1.something", "unknown-token"),
        ("Bearer a1.with space", None),
        (f"Bearer a1.{'x' * 200}", None),
    ],
)
async def test_a_token_that_does_not_count_is_nobody_and_hears_why(
    auth: AuthParts, header: str | None, reason: str | None
) -> None:
    async with auth.client() as client:
        answer = await client.get("/api/v1/auth/me", headers={} if header is None else {"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="vms-privacy"'
    assert answer.json().get("reason") == reason


async def test_nobody_may_send_two_authorizations(auth: AuthParts) -> None:
    anna = auth.access.person(auth.access.operator("north"), "anna")
    token = auth.bearer(anna)["Authorization"]
    async with auth.client() as client:
        answer = await client.get("/api/v1/auth/me", headers=[("authorization", token), ("authorization", token)])
    assert answer.status_code == 401


async def test_the_openapi_document_says_who_may_call_each_route(auth: AuthParts) -> None:
    for path, methods in auth.app().openapi()["paths"].items():
        for operation in methods.values():
            assert operation["x-needs"], path


def test_a_platform_admin_is_told_apart_from_a_person(auth: AuthParts) -> None:
    admin = auth.access.platform_admin()
    token = auth.bearer(admin)["Authorization"].removeprefix("Bearer ")
    assert auth.logins.identify(token) == Principal(
        PrincipalKind.PLATFORM_ADMIN, admin.person_id, None, admin.session_id
    )
