"""The routes of media sessions: who sees who is looking, and who may end it (P7, P8)."""

from typing import Any

import httpx

from auth.media_sessions.rules import End, Protocol
from auth.media_sessions.session import MediaSession
from auth.principal import Principal, Right, Role
from auth.tokens.rules import Action
from auth.tokens.service import Asked
from tests.given.tokens import TokenParts
from vms_privacy.audit.events import Tag

MISSING = "00000000-0000-4000-8000-000000000000"


def look(parts: TokenParts) -> MediaSession:
    parts.access.grant(parts.viewer, [Right.LIVE])
    token = parts.issue(parts.viewer, Action.LIVE, purpose="live_view")
    return parts.door.enter(token.handle, Asked("north", "door", Action.LIVE), Protocol.STREAM, "address")[0]


async def ask(parts: TokenParts, asker: Principal | None, method: str, session_id: Any = "") -> httpx.Response:
    path = f"/api/v1/operators/{parts.operator_id}/sessions{session_id and f'/{session_id}'}"
    async with parts.client(asker) as client:
        return await client.request(method, path)


async def test_who_may_withdraw_rights_sees_who_is_looking(parts: TokenParts) -> None:
    session = look(parts)
    session.count(500)
    answer = await ask(parts, parts.owner, "GET")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "items": [
            {
                "id": str(session.id),
                "camera_id": str(parts.camera.camera_id),
                "person_id": str(parts.viewer.person_id),
                "token_id": str(session.claims.token_id),
                "action": "live",
                "purpose": "live_view",
                "protocol": "stream",
                "opened_at": "2030-01-15T12:00:00Z",
                "session_until": "2030-01-16T00:00:00Z",
                "silence_seconds": 0,
                "bytes": 500,
            }
        ],
        "next": None,
    }
    assert session.key not in answer.text


async def test_each_asker_gets_the_answer_that_is_theirs(parts: TokenParts) -> None:
    session = look(parts)
    neighbour = parts.access.person(parts.access.operator("south"), "neighbour@example.org")
    parts.access.grant(neighbour, Role.OWNER)
    keeper = parts.access.person(parts.operator_id, "keeper@example.org")
    parts.access.grant(keeper, [Right.GRANT], parts.camera.camera_id)
    askers = {
        "nobody": None,
        "neighbour": neighbour,
        "admin": parts.access.platform_admin(),
        "viewer": parts.viewer,
        "who may give rights over one camera only": keeper,
    }
    expected = {"nobody": 401, "neighbour": 404, "admin": 404, "viewer": 403}
    for name, asker in askers.items():
        status = expected.get(name, 403)
        assert (await ask(parts, asker, "GET")).status_code == status, name
        assert (await ask(parts, asker, "DELETE", session.id)).status_code == status, name
    session.check()


async def test_ending_a_session_cuts_it_and_its_token_does_not_open_it_again(parts: TokenParts) -> None:
    session = look(parts)
    cut: list[bool] = []
    session.attach(lambda: cut.append(True))
    assert (await ask(parts, parts.owner, "DELETE", session.id)).status_code == 204
    assert (cut, session.end) == ([True], End.WITHDRAWN)
    (event,) = parts.events(Tag.TOKEN_WITHDRAWN)
    assert event.actor == parts.owner.label
    assert (await ask(parts, parts.owner, "DELETE", session.id)).status_code == 404


async def test_a_session_of_another_operator_does_not_exist(parts: TokenParts) -> None:
    session = look(parts)
    south = parts.access.operator("south")
    neighbour = parts.access.person(south, "neighbour@example.org")
    parts.access.grant(neighbour, Role.OWNER)
    async with parts.client(neighbour) as client:
        foreign = await client.delete(f"/api/v1/operators/{south}/sessions/{session.id}")
        missing = await client.delete(f"/api/v1/operators/{south}/sessions/{MISSING}")
    assert (foreign.status_code, foreign.content, foreign.headers) == (404, missing.content, missing.headers)
    session.check()
