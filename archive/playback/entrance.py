"""From a request to a look: by token, or by the key of a session that a token opened."""

from uuid import UUID
from weakref import WeakKeyDictionary

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from archive.keys.rules import permit_from
from archive.playback.service import Footage, Look
from archive.segments.rules import Span
from auth.errors import NotFound
from auth.gate import Gate, mark
from auth.media_sessions.door import MediaDoor
from auth.media_sessions.rules import Protocol
from auth.media_sessions.service import MediaSessions
from auth.media_sessions.session import MediaSession
from auth.principal import Granted, Principal, PrincipalKind, Right
from auth.tokens.rules import Action, Claims, Purpose, reach
from auth.tokens.service import StreamTokens
from vms_privacy.audit.pseudonyms import Pseudonyms
from vms_privacy.clock import Clock
from vms_privacy.db import Database
from vms_privacy.ids import CameraId

_NO_CAMERA = CameraId(UUID(int=0))
_EVER = 2**60


class ArchiveEntrance:
    """Lets requests in, marks them for the backstop, and says what they may see."""

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
        self._door = door
        self._tokens = tokens
        self._sessions = sessions
        self._pseudonyms = pseudonyms
        self._clock = clock
        self._granted: WeakKeyDictionary[MediaSession, Granted] = WeakKeyDictionary()
        # Names under which a token was let in. A key opens its own camera only, so an old name gives nothing away.
        self._names: dict[tuple[str, str], CameraId] = {}

    async def by_token(
        self, request: Request, operator: str, camera: str, token: str | None, protocol: Protocol, wanted: Span
    ) -> tuple[MediaSession, Look]:
        """Open, or find again, the session of a request with a token for a span."""
        address = self._pseudonyms.address(request.client.host if request.client else "")
        session, admission = await run_in_threadpool(
            self._door.enter,
            token,
            operator,
            camera,
            Action.ARCHIVE,
            protocol,
            address,
            wanted.from_us,
            wanted.until_us,
        )
        look = await run_in_threadpool(self._look, session)
        mark(request.scope, "stream token for archive")
        self._names[operator, camera] = admission.resource.camera_id
        return session, look

    async def by_key(self, request: Request, operator: str, camera: str, key: str | None) -> tuple[MediaSession, Look]:
        """Go on with a session by its key."""
        camera_id = self._names.get((operator, camera), _NO_CAMERA)
        session = self._sessions.resume(key or "", camera_id, Action.ARCHIVE)
        look = await run_in_threadpool(self._look, session)
        mark(request.scope, "media session for archive")
        return session, look

    async def only_asking(
        self, request: Request, operator: str, camera: str, token: str | None, footage: Footage, asked: Span
    ) -> list[Span]:
        """Return the readable stretches within what a token reaches; opens no session, shows no picture."""
        admission = await run_in_threadpool(self._tokens.admit, token, operator, camera, Action.ARCHIVE)
        mark(request.scope, "stream token for archive")
        within = reach(admission.claims, self._clock.for_reading())
        from_us = max(asked.from_us, within.from_us or 0)
        until_us = min(asked.until_us, within.until_us or _EVER)
        if from_us >= until_us:
            return []
        span = Span(from_us, until_us)
        found = await run_in_threadpool(footage.ranges, admission.resource.camera_id, span)
        return [Span(max(one.from_us, from_us), min(one.until_us, until_us)) for one in found if one.overlaps(span)]

    def _look(self, session: MediaSession) -> Look:
        claims = session.claims
        granted = self._granted.get(session)
        if granted is None:
            granted = self._weigh(claims)
            self._granted[session] = granted
        within = reach(claims, self._clock.for_reading())
        depth_us = None if claims.depth is None else int(claims.depth.total_seconds() * 1_000_000)
        window = Span(within.from_us or 0, within.until_us or _EVER)
        return Look(claims.camera_id, window, depth_us, permit_from(granted, claims.purpose))

    def _weigh(self, claims: Claims) -> Granted:
        """Ask the gate itself: only its yes opens recorded footage."""
        asker = Principal(PrincipalKind.PERSON, claims.person_id, claims.operator_id)
        takes_away = claims.purpose in {Purpose.EXPORT, Purpose.EVIDENCE}
        with self._db.reading() as session:
            verdict = self._gate.weigh(session, asker, Right.EXPORT if takes_away else Right.ARCHIVE, claims.camera_id)
        if not isinstance(verdict, Granted):
            raise NotFound
        return verdict
