"""One media session, as those who send its bytes hold it. Thread-safe; nothing here waits or asks the database."""

import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial

from auth.media_sessions.errors import NotSureEnough, SessionOver
from auth.media_sessions.rules import End, Protocol, Signs
from auth.revocation.view import RevocationView
from auth.tokens.errors import LIVE_IS_RESTRICTED, FootageIsRestricted, OutsideWindow
from auth.tokens.rules import Action, Claims, uses_for, within_session
from vms_privacy.clock import Clock
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId, MediaSessionId, OperatorId, PersonId

Cut = Callable[[], None]


class MediaSession:
    """One person looking at one camera, for as long as nothing ends it.

    Whoever sends its bytes calls `check` before and `count` after each piece, and keeps a cut attached while a
    response is under way. `key` (22 characters, 128 bit) stands in nested URIs instead of the token. `claims` only
    ever get narrower. `address` is a keyed pseudonym. Made by `MediaSessions` alone.
    """

    def __init__(
        self,
        session_id: MediaSessionId,
        key: str,
        claims: Claims,
        action: Action,
        protocol: Protocol,
        address: str,
        clock: Clock,
        revocation: RevocationView,
    ) -> None:
        self.id = session_id
        self.key = key
        self.claims = claims
        self.action = action
        self.protocol = protocol
        self.address = address
        self.opened_at: datetime = clock.now()
        self.end: End | None = None
        self.bytes_out = 0
        self.is_announced = False
        self._clock = clock
        self._revocation = revocation
        self._lock = threading.Lock()
        self._cuts: dict[int, Cut] = {}
        self._attached = 0
        self._asked_at = clock.monotonic()
        self._refusal: Refusal | None = None

    def __repr__(self) -> str:
        return f"MediaSession({self.id}, {self.protocol})"

    @property
    def camera_id(self) -> CameraId:
        return self.claims.camera_id

    @property
    def operator_id(self) -> OperatorId:
        return self.claims.operator_id

    @property
    def person_id(self) -> PersonId:
        return self.claims.person_id

    @property
    def is_sending(self) -> bool:
        """Say whether a response is under way."""
        return bool(self._cuts)

    def check(self, picture_us: int | None = None) -> None:
        """Raise what ended the session, or will now; with `picture_us`, OutsideWindow for a picture it does not cover.

        Cheap enough for every fragment of every viewer: memory only, no lock.
        """
        refusal = self._refusal
        if refusal is not None:
            raise refusal
        if not self._revocation.hearing().may_go_on:
            raise NotSureEnough("withdrawals are not heard of at the moment", retry_after=1)
        if self._is_restricted():
            raise FootageIsRestricted(LIVE_IS_RESTRICTED)
        if self._clock.for_reading() >= self.claims.session_until:
            raise SessionOver("this media session is over")
        if picture_us is not None and not within_session(self.claims, picture_us, self._clock.for_reading()):
            raise OutsideWindow("this session does not reach that picture")

    def check_live(self, from_us: int, until_us: int) -> None:
        """Raise FootageIsRestricted for live pictures that were captured in a restricted stretch; memory only.

        Whoever watches live sees pictures of some seconds ago: those of the ring are judged by their own time.
        """
        if self._revocation.forbids(self.claims.camera_id, from_us, max(until_us, from_us + 1)):
            raise FootageIsRestricted(LIVE_IS_RESTRICTED)

    def count(self, octets: int) -> None:
        """Add to what was sent; what was thrown away by a cut does not count."""
        with self._lock:
            if self._refusal is None:
                self.bytes_out += octets

    def attach(self, cut: Cut) -> Callable[[], None]:
        """Keep `cut` ready while a response is under way; return what takes it off again.

        `cut` is called at most once, from any thread, and must not wait. Raises what ended the session, if it has:
        then nothing of the response may be sent.
        """
        with self._lock:
            if self._refusal is not None:
                raise self._refusal
            self._attached += 1
            number = self._attached
            self._cuts[number] = cut
        return partial(self._detach, number)

    def asked(self) -> None:
        """Note that the client asked for something just now."""
        self._asked_at = self._clock.monotonic()

    def signs(self) -> Signs:
        """Return what memory knows about this session now."""
        claims = self.claims
        uses = ((use.grant_id, use.version) for use in uses_for(claims, self.action))
        return Signs(
            session_until=claims.session_until,
            silence_s=0.0 if self._cuts else self._clock.monotonic() - self._asked_at,
            footing=self._revocation.weigh(claims.token_id, claims.person_id, uses),
            hearing=self._revocation.hearing(),
            is_restricted=self._is_restricted(),
        )

    def finish(self, end: End, refusal: Refusal) -> tuple[Cut, ...] | None:
        """End it, once; return the cuts to call, or None if it had ended before. For `MediaSessions`."""
        with self._lock:
            if self._refusal is not None:
                return None
            self.end = end
            self._refusal = refusal
            cuts = tuple(self._cuts.values())
            self._cuts.clear()
            return cuts

    def _is_restricted(self) -> bool:
        """Say whether a restriction closes what is shown; of recorded pictures each is judged by its own time."""
        return self.action is Action.LIVE and self._revocation.forbids_live(self.claims.camera_id)

    def _detach(self, number: int) -> None:
        with self._lock:
            self._cuts.pop(number, None)
        self.asked()
