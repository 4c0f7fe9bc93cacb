"""When an access token counts, and what a refresh token leads to."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, unique
from typing import Final

from vms_privacy.ids import LoginSessionId, PersonId

ACCESS_PREFIX: Final = "a1"
REFRESH_PREFIX: Final = "r1"
ACCESS_LIFE: Final = timedelta(minutes=15)
# Absolute: rotating does not lengthen it.
SESSION_LIFE: Final = timedelta(days=30)


@unique
class WhyNot(StrEnum):
    """Why a token does not count. Told to whoever holds it: it says nothing about anybody else."""

    UNKNOWN = "unknown-token"
    EXPIRED = "token-expired"
    ENDED = "session-ended"
    REPLAYED = "refresh-replayed"


@unique
class End(StrEnum):
    """Why a session ended."""

    LOGGED_OUT = "logged-out"
    REPLAYED = "refresh-replayed"
    PERSON_DISABLED = "person-disabled"
    PASSWORD_CHANGED = "password-changed"
    DATABASE_RESTORED = "database-restored"


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody with a token that does not count."""

    why: WhyNot

    @classmethod
    def unknown(cls) -> "Stranger":
        """Return somebody whose token was never given out, or not for this."""
        return cls(WhyNot.UNKNOWN)


@dataclass(frozen=True, slots=True)
class LoginSession:
    """One family of tokens, of one person on one device, in the state it has now."""

    id: LoginSessionId
    person_id: PersonId
    expires_at: datetime
    access_expires_at: datetime
    refresh_digest: bytes
    ended_at: datetime | None
    person_is_disabled: bool


def judge_access(session: LoginSession | None, now: datetime) -> WhyNot | None:
    """Say why the current access token of a session does not count at `now`; None if it does."""
    why = _judge_session(session, now)
    if why is None and session is not None and now >= session.access_expires_at:
        return WhyNot.EXPIRED
    return why


def judge_refresh(session: LoginSession | None, presented: bytes, now: datetime) -> WhyNot | None:
    """Say why a refresh token of a session's family does not count at `now`; None if it does.

    `presented` is its digest. One that is of the family and not the current one was rotated away: whoever presents
    it, or whoever rotated it, is not the person (RFC 9700, 4.14.2).
    """
    why = _judge_session(session, now)
    if why is None and session is not None and presented != session.refresh_digest:
        return WhyNot.REPLAYED
    return why


def access_until(session_expires_at: datetime, now: datetime) -> datetime:
    """Return when an access token given at `now` expires: never later than its session."""
    return min(now + ACCESS_LIFE, session_expires_at)


def _judge_session(session: LoginSession | None, now: datetime) -> WhyNot | None:
    if session is None:
        return WhyNot.UNKNOWN
    if session.ended_at is not None or session.person_is_disabled:
        return WhyNot.ENDED
    return WhyNot.EXPIRED if now >= session.expires_at else None
