"""From a request to a look: by token, or by the key of a session that a token opened."""

from typing import Final
from weakref import WeakKeyDictionary

from fastapi import Request

from archive.keys.rules import permit_from
from archive.playback.opening import Look
from archive.playback.service import Footage
from archive.segments.rules import Span
from auth.errors import NotFound
from auth.gate import Gate
from auth.media_sessions.door import MediaDoor
from auth.media_sessions.entrance import MediaEntrance
from auth.media_sessions.rules import Protocol
from auth.media_sessions.service import MediaSessions
from auth.media_sessions.session import MediaSession
from auth.principal import Granted, Principal, PrincipalKind, Right
from auth.tokens.rules import Action, Claims, Purpose, microseconds, reach
from auth.tokens.service import StreamTokens
from vms_privacy.audit.pseudonyms import Pseudonyms
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.ids import PersonId

_EVER: Final = 2**60


class ArchiveEntrance:
    """Lets requests for recorded footage in, and says what they may see. Blocking: called from threads."""

    def __init__(
        self,
        db: Database,
        gate: Gate,
        door: MediaDoor,
        tokens: StreamTokens,
        sessions: MediaSessions,
        pseudonyms: Pseudonyms,
        clock: Clock,
    ) -> None:
        self._db = db
        self._gate = gate
        self._clock = clock
        self._entrance = MediaEntrance(door, tokens, sessions, pseudonyms, Action.ARCHIVE)
        self._granted: WeakKeyDictionary[MediaSession, Granted] = WeakKeyDictionary()

    def by_token(
        self, request: Request, operator: str, camera: str, token: str | None, protocol: Protocol, wanted: Span
    ) -> tuple[MediaSession, Look]:
        """Open, or find again, the session of a request with a token for a span."""
        session = self._entrance.by_token(request, operator, camera, token, protocol, wanted.from_us, wanted.until_us)
        return session, self._look(session)

    def by_key(self, request: Request, operator: str, camera: str, key: str | None) -> tuple[MediaSession, Look]:
        """Go on with a session by its key."""
        session = self._entrance.by_key(request, operator, camera, key)
        return session, self._look(session)

    def only_asking(
        self, request: Request, operator: str, camera: str, token: str | None, footage: Footage, asked: Span
    ) -> list[Span]:
        """Return the readable stretches within what a token reaches; opens no session, shows no picture."""
        admission = self._entrance.only_asking(request, operator, camera, token)
        within = reach(admission.claims, self._clock.for_reading())
        from_us, until_us = max(asked.from_us, within.from_us or 0), min(asked.until_us, within.until_us or _EVER)
        if from_us >= until_us:
            return []
        span = Span(from_us, until_us)
        found = footage.ranges(admission.resource.camera_id, span, _case_person(admission.claims))
        return [Span(max(one.from_us, from_us), min(one.until_us, until_us)) for one in found if one.overlaps(span)]

    def _look(self, session: MediaSession) -> Look:
        granted = self._granted.get(session)
        if granted is None:
            granted = self._granted[session] = self._weigh(session.claims)
        claims = session.claims
        depth_us = None if claims.depth is None else int(claims.depth.total_seconds() * 1_000_000)
        permit = permit_from(granted, claims.purpose)
        return Look(claims.camera_id, _window(claims), depth_us, permit, _case_person(claims))

    def _weigh(self, claims: Claims) -> Granted:
        """Ask the gate itself, once a session: only its yes opens recorded footage."""
        asker = Principal(PrincipalKind.PERSON, claims.person_id, claims.operator_id)
        takes_away = claims.purpose in {Purpose.EXPORT, Purpose.EVIDENCE}
        with self._db.glancing(at_one_moment=True) as connection:
            verdict = self._gate.weigh(
                connection, asker, Right.EXPORT if takes_away else Right.ARCHIVE, claims.camera_id
            )
        if not isinstance(verdict, Granted):
            raise NotFound
        return verdict


def _case_person(claims: Claims) -> PersonId | None:
    """Return who looks for evidence: only so, and only for people of a case, does what is held open after its time."""
    return claims.person_id if claims.purpose is Purpose.EVIDENCE else None


def _window(claims: Claims) -> Span:
    """Return the fixed window of claims. Their depth goes on with the clock, so it is judged at each picture."""
    from_us = 0 if claims.window_from is None else microseconds(claims.window_from)
    return Span(from_us, _EVER if claims.window_until is None else microseconds(claims.window_until))
