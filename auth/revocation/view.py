"""What this process knows about withdrawals, in memory. Loaded at start, then told of every change after its commit."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from auth.revocation.rules import Footing, Hearing, Known, hearing_after, moment_us, weigh
from vms_privacy.clock import Clock
from vms_privacy.ids import CameraId, GrantId, PersonId, TokenId


class RevocationView:
    """Grant versions, withdrawn tokens, disabled people, restricted cameras, and how long ago we last heard.

    Thread-safe.

    Before `load` it is deaf, so nothing starts. Each reading is one dict look-up without a lock: a change is one
    atomic replacement of a value, and readers need no two values of the same instant.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._versions: dict[GrantId, int] = {}
        self._tokens: dict[TokenId, datetime] = {}
        self._disabled: set[PersonId] = set()
        self._heard_at: float | None = None
        self._closed: frozenset[CameraId] = frozenset()
        self._restricted: Mapping[CameraId, Sequence[tuple[int, int]]] | None = None

    def load(
        self, versions: Mapping[GrantId, int], tokens: Mapping[TokenId, datetime], disabled: frozenset[PersonId]
    ) -> None:
        """Take over what the database says, keeping whatever was heard meanwhile; counts as a heartbeat."""
        for grant_id, version in versions.items():
            self.hear_grant(grant_id, version)
        for token_id, forget_at in tokens.items():
            self.hear_token(token_id, forget_at)
        with self._lock:
            self._disabled.update(disabled)
        self.heartbeat()

    def hear_grant(self, grant_id: GrantId, version: int) -> None:
        """Remember the newest version of a grant; an older one that arrives late changes nothing."""
        with self._lock:
            if version > self._versions.get(grant_id, 0):
                self._versions[grant_id] = version

    def hear_token(self, token_id: TokenId, forget_at: datetime) -> None:
        """Remember that a token was withdrawn, until nothing can rest on it any more."""
        with self._lock:
            self._tokens[token_id] = max(forget_at, self._tokens.get(token_id, forget_at))

    def hear_person(self, person_id: PersonId) -> None:
        """Remember that a person was disabled, which is for good."""
        with self._lock:
            self._disabled.add(person_id)

    def hear_restrictions(self, stretches: Mapping[CameraId, Sequence[tuple[int, int]]]) -> None:
        """Remember which stretches of which cameras are restricted, in place of all that was known of them."""
        self._restricted = stretches
        self._closed = frozenset()

    def close(self, camera_id: CameraId) -> None:
        """Take a camera for restricted until restrictions are heard again: one was placed that cannot be read."""
        self._closed |= {camera_id}

    def forbids_live(self, camera_id: CameraId) -> bool:
        """Say whether a camera's present is restricted (P6); until the first restrictions were heard, it is."""
        # While the time is in doubt, the present may lie anywhere between its two readings.
        readings = [moment_us(one) for one in (self._clock.for_destroying(), self._clock.for_reading())]
        return self.forbids(camera_id, min(readings), max(readings) + 1)

    def forbids(self, camera_id: CameraId, from_us: int, until_us: int) -> bool:
        """Say whether a moment of a stretch of a camera's time is restricted; memory only."""
        known = self._restricted
        if known is None or camera_id in self._closed:
            return True
        stretches = known.get(camera_id)
        return bool(stretches) and any(since < until_us and from_us < until for since, until in stretches or ())

    def heartbeat(self) -> None:
        """Note that the way on which changes arrive is alive. Embedded: the process's own ticker calls this."""
        self._heard_at = self._clock.monotonic()

    def hearing(self) -> Hearing:
        """Say how far this view can be trusted now."""
        heard_at = self._heard_at
        return hearing_after(None if heard_at is None else self._clock.monotonic() - heard_at)

    def version_of(self, grant_id: GrantId) -> int | None:
        """Return the newest version heard of; None if we never heard of this grant."""
        return self._versions.get(grant_id)

    def weigh(self, token_id: TokenId, person_id: PersonId, uses: Iterable[tuple[GrantId, int]]) -> Footing:
        """Say what memory knows about something that rests on this token, this person and these grant versions."""
        grants, used = zip(*uses, strict=True)
        return weigh(
            Known(
                token_withdrawn=token_id in self._tokens,
                person_disabled=person_id in self._disabled,
                used=used,
                current=tuple(self._versions.get(grant_id) for grant_id in grants),
            )
        )

    def forget_old(self) -> None:
        """Drop withdrawn tokens on which nothing can rest any more."""
        now = self._clock.for_destroying()
        with self._lock:
            for token_id in [token_id for token_id, forget_at in self._tokens.items() if forget_at < now]:
                del self._tokens[token_id]
