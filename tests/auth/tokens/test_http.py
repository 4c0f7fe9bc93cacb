"""The routes of stream tokens: who gets which answer, and what bad input is told (P7, P8)."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from auth.principal import Principal, Right, Role
from auth.tokens.errors import TokenWithdrawn
from auth.tokens.rules import Action
from auth.tokens.service import Asked
from tests.given.clock import HandClock
from tests.given.tokens import TokenParts

MISSING = "00000000-0000-4000-8000-000000000000"
LIVE = {"actions": ["live"], "purpose": "live_view"}


async def ask(parts: TokenParts, asker: Principal | None, body: Any = None, camera: Any = None) -> httpx.Response:
    path = f"/api/v1/cameras/{camera or parts.camera.camera_id}/tokens"
    async with parts.client(asker) as client:
        return await client.post(path, json=LIVE if body is None else body)


async def withdraw(parts: TokenParts, asker: Principal | None, token_id: Any) -> httpx.Response:
    async with parts.client(asker) as client:
        return await client.delete(f"/api/v1/tokens/{token_id}")


async def test_a_watcher_gets_both_forms_and_when_they_end(parts: TokenParts, clock: HandClock) -> None:
    parts.access.grant(parts.viewer, Role.INVESTIGATOR)
    wish = {
        "actions": ["live", "archive"],
        "purpose": "archive_view",
        "lifetime": "PT1M",
        "window": {"from": "2030-01-15T13:00:00+03:00", "until": "2030-01-15T11:00:00Z"},
    }
    answer = await ask(parts, parts.viewer, wish)
    told = answer.json()
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    assert told["expires_at"] == "2030-01-15T12:01:00Z"
    assert told["session_until"] == "2030-01-16T00:00:00Z"
    claims = parts.tokens.read(told["jwt"])
    assert parts.tokens.read(told["handle"]) == claims
    assert str(claims.token_id) == told["token_id"]
    assert claims.window_from == clock.now() - timedelta(hours=2)
    assert claims.window_until == clock.now() - timedelta(hours=1)


async def test_each_asker_gets_the_answer_that_is_theirs(parts: TokenParts) -> None:
    neighbour = parts.access.person(parts.access.operator("south"), "neighbour@example.org")
    parts.access.grant(neighbour, Role.OWNER)
    stranger = parts.access.person(parts.operator_id, "stranger@example.org")
    without = parts.access.person(parts.operator_id, "without@example.org")
    parts.access.grant(without, [Right.ARCHIVE])
    parts.access.grant(parts.viewer, [Right.LIVE])
    answers = {
        name: (await ask(parts, asker)).status_code
        for name, asker in {
            "nobody": None,
            "neighbour": neighbour,
            "admin": parts.access.platform_admin(),
            "stranger": stranger,
            "without the right": without,
            "viewer": parts.viewer,
        }.items()
    }
    assert answers == {
        "nobody": 401,
        "neighbour": 404,
        "admin": 404,
        "stranger": 404,
        "without the right": 403,
        "viewer": 201,
    }


async def test_a_camera_one_may_not_see_is_answered_byte_for_byte_like_one_that_does_not_exist(
    parts: TokenParts,
) -> None:
    neighbour = parts.access.person(parts.access.operator("south"), "neighbour@example.org")
    parts.access.grant(neighbour, Role.OWNER)
    foreign, missing = await ask(parts, neighbour), await ask(parts, neighbour, camera=MISSING)
    assert (foreign.status_code, foreign.content, foreign.headers) == (404, missing.content, missing.headers)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"purpose": "analytics"}, 403, "purpose-not-allowed"),
        ({"purpose": "export"}, 403, "purpose-not-allowed"),
        ({"lifetime": "PT9S"}, 422, "token-wish-is-bad"),
        ({"lifetime": "P1D"}, 422, "token-wish-is-bad"),
        ({"lifetime": "P1M"}, 422, "invalid-request"),
        ({"lifetime": "300"}, 422, "invalid-request"),
        ({"lifetime": "-PT5M"}, 422, "invalid-request"),
        ({"actions": []}, 422, "invalid-request"),
        ({"actions": ["live", "live", "live"]}, 422, "invalid-request"),
        ({"actions": ["ptz"]}, 422, "invalid-request"),
        ({"actions": "live"}, 422, "invalid-request"),
        ({"purpose": None}, 422, "invalid-request"),
        ({"purpose": "x" * 41}, 422, "invalid-request"),
        ({"everything": True}, 422, "invalid-request"),
        ({"window": {"from": "2030-01-15T10:00:00"}}, 422, "invalid-request"),
        ({"window": {"since": "2030-01-15T10:00:00Z"}}, 422, "invalid-request"),
        ({"window": {"from": "9999-12-31T23:59:59-01:00"}}, 422, "invalid-request"),
        ({"window": {"from": "9999-06-01T00:00:00Z"}}, 422, "token-wish-is-bad"),
        ({"window": {"from": "1969-12-31T23:59:59Z"}}, 422, "token-wish-is-bad"),
        ({"window": {"from": "2030-01-15T11:00:00Z", "until": "2030-01-15T10:00:00Z"}}, 422, "token-wish-is-bad"),
    ],
)
async def test_a_bad_wish_gets_a_clear_answer(
    parts: TokenParts, change: dict[str, Any], status: int, code: str
) -> None:
    parts.access.grant(parts.viewer, Role.INVESTIGATOR)
    answer = await ask(parts, parts.viewer, LIVE | change)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_token_is_withdrawn_by_those_who_may_and_does_not_exist_for_others(parts: TokenParts) -> None:
    parts.access.grant(parts.viewer, [Right.LIVE])
    issued = parts.issue(parts.viewer, Action.LIVE, purpose="live_view")
    stranger = parts.access.person(parts.operator_id, "stranger@example.org")
    token_id = issued.claims.token_id
    assert (await withdraw(parts, None, token_id)).status_code == 401
    hidden, missing = await withdraw(parts, stranger, token_id), await withdraw(parts, stranger, MISSING)
    assert (hidden.status_code, hidden.content, hidden.headers) == (404, missing.content, missing.headers)
    for _ in range(2):
        assert (await withdraw(parts, parts.owner, token_id)).status_code == 204
    with pytest.raises(TokenWithdrawn):
        parts.tokens.admit(issued.handle, Asked("north", "door", Action.LIVE))


async def test_the_public_keys_are_there_for_everybody(parts: TokenParts) -> None:
    async with parts.client(None) as client:
        answer = await client.get("/.well-known/jwks.json")
    assert answer.status_code == 200
    assert answer.json() == parts.signer.jwks()
    assert answer.headers["cache-control"] == "public, max-age=60"
