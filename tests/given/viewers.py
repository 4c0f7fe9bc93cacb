"""Viewers of a camera with media sessions, and what can be cut of them."""

from datetime import timedelta

from auth.grants.rules import Grant
from auth.media_sessions.rules import Protocol
from auth.media_sessions.session import MediaSession
from auth.principal import Principal, Right, Role
from auth.tokens.issuing import IssuedToken
from auth.tokens.rules import Action
from auth.tokens.service import Asked
from tests.given.clock import HandClock
from tests.given.tokens import TokenParts


class Cut:
    """Something that can be cut; counts how often it was."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


def viewer(
    parts: TokenParts, name: str = "some", rights: Role | list[Right] = Role.INVESTIGATOR
) -> tuple[Principal, Grant]:
    person = parts.access.person(parts.operator_id, f"{name}@example.org")
    return person, parts.access.grant(person, rights)


def enter(
    parts: TokenParts,
    token: IssuedToken,
    protocol: Protocol = Protocol.STREAM,
    address: str = "address",
    action: Action = Action.LIVE,
) -> MediaSession:
    return parts.door.enter(token.handle, Asked("north", "door", action), protocol, address)[0]


def opened(parts: TokenParts, name: str = "some", protocol: Protocol = Protocol.STREAM) -> tuple[MediaSession, Grant]:
    person, grant = viewer(parts, name)
    return enter(parts, parts.issue(person, Action.LIVE, Action.ARCHIVE), protocol), grant


def beat(parts: TokenParts) -> int:
    parts.view.heartbeat()
    return parts.sessions.rejudge()


def wait(parts: TokenParts, clock: HandClock, step: timedelta) -> int:
    clock.forward(step)
    return beat(parts)
