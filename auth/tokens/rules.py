"""What a stream token says, and what it allows at a moment.

Times in claims are whole seconds, so that both forms of a token say exactly the same; rounding is always inward. An
archive window is half open: `from` is inside, `until` is not. Media times (`_us`) are microseconds since 1970 UTC.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum, unique
from typing import Final

from auth.principal import Right
from vms_privacy.ids import CameraId, GrantId, OperatorId, PersonId, TokenId

LONGEST_SESSION: Final = timedelta(hours=12)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
Window = tuple[datetime | None, datetime | None]


@unique
class Action(StrEnum):
    """What a token can be for. Each is also the right it needs."""

    LIVE = "live"
    ARCHIVE = "archive"

    @property
    def right(self) -> Right:
        return Right(self.value)


@unique
class Purpose(StrEnum):
    """Why footage is looked at; the closed list of the source policies. There is no "other"."""

    LIVE_VIEW = "live_view"
    ARCHIVE_VIEW = "archive_view"
    EXPORT = "export"
    EVIDENCE = "evidence"
    HEALTH = "health"


_TAKES_FOOTAGE_AWAY: Final = frozenset({Purpose.EXPORT, Purpose.EVIDENCE})


@unique
class Why(StrEnum):
    """Why a token, or a wish for one, is answered with no. Stable: audit rows carry these."""

    EXPIRED = "token-expired"
    NOT_YET_VALID = "token-not-yet-valid"
    OTHER_CAMERA = "other-camera"
    LACKS_ACTION = "token-lacks-action"
    OUTSIDE_WINDOW = "outside-window"
    BEYOND_DEPTH = "beyond-depth"
    PURPOSE_UNKNOWN = "purpose-unknown"
    PURPOSE_DOES_NOT_FIT = "purpose-does-not-fit"
    LIFETIME_OUT_OF_RANGE = "lifetime-out-of-range"
    WINDOW_RUNS_BACKWARD = "window-runs-backward"
    WINDOW_OUT_OF_RANGE = "window-out-of-range"
    NO_ACTION = "no-action"
    GRANT_ENDS_TOO_SOON = "grant-ends-too-soon"
    WINDOWS_DO_NOT_MEET = "windows-do-not-meet"


@dataclass(frozen=True, slots=True)
class Yes:
    """It is allowed."""


@dataclass(frozen=True, slots=True)
class No:
    """It is not, and why."""

    why: Why


@dataclass(frozen=True, slots=True)
class GrantUse:
    """The version of the grant from which a token has one of its rights."""

    right: Right
    grant_id: GrantId
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Everything a token says. `expires_at` ends the right to start; `session_until` ends what was started."""

    token_id: TokenId
    person_id: PersonId
    operator_id: OperatorId
    camera_id: CameraId
    actions: frozenset[Action]
    purpose: Purpose
    not_before: datetime
    expires_at: datetime
    session_until: datetime
    grants: tuple[GrantUse, ...]
    window_from: datetime | None = None
    window_until: datetime | None = None
    depth: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What grants give a person on a camera at a moment, for a set of rights: the narrowest of each bound."""

    grants: tuple[GrantUse, ...]
    valid_until: datetime | None = None
    window_from: datetime | None = None
    window_until: datetime | None = None
    depth: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """The pictures a token may show at a moment, half open; None is without bound. For clipping lists."""

    from_us: int | None
    until_us: int | None


def microseconds(moment: datetime) -> int:
    """Return microseconds since 1970 UTC, the unit of media times."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def rights_needed(actions: Iterable[Action], purpose: Purpose) -> frozenset[Right]:
    """Return the rights a person needs for these actions; taking footage away needs the export right as well."""
    extra = {Right.EXPORT} if purpose in _TAKES_FOOTAGE_AWAY else set()
    return frozenset({action.right for action in actions} | extra)


def allows(  # one argument per thing a request says
    claims: Claims, camera_id: CameraId, action: Action, from_us: int | None, until_us: int | None, now: datetime
) -> Yes | No:
    """Say whether a token may start this at `now`. `from_us`/`until_us` only matter to the archive."""
    started = in_time(claims, now)
    if isinstance(started, No):
        return started
    if claims.camera_id != camera_id:
        return No(Why.OTHER_CAMERA)
    return covers(claims, action, from_us, until_us, now)


def in_time(claims: Claims, now: datetime) -> Yes | No:
    """Say whether the token may start anything at `now`."""
    if now >= claims.expires_at:
        return No(Why.EXPIRED)
    if now < claims.not_before:
        return No(Why.NOT_YET_VALID)
    return Yes()


def covers(claims: Claims, action: Action, from_us: int | None, until_us: int | None, now: datetime) -> Yes | No:
    """Say whether action and span are inside the token, whatever its age.

    Without any bound no picture is asked for yet: lists are clipped with `reach`.
    """
    if action not in claims.actions:
        return No(Why.LACKS_ACTION)
    if action is not Action.ARCHIVE:
        return Yes()
    if from_us is None and until_us is None:
        return Yes()
    # A span without a beginning begins before everything; one without an end runs up to now.
    first = from_us if from_us is not None else microseconds(EPOCH)
    last = until_us if until_us is not None else microseconds(now)
    if claims.window_from is not None and first < microseconds(claims.window_from):
        return No(Why.OUTSIDE_WINDOW)
    if claims.window_until is not None and max(first + 1, last) > microseconds(claims.window_until):
        return No(Why.OUTSIDE_WINDOW)
    if claims.depth is not None and first < microseconds(now - claims.depth):
        return No(Why.BEYOND_DEPTH)
    return Yes()


def within_session(claims: Claims, picture_us: int, now: datetime) -> bool:
    """Say whether a session that rests on these claims may be handed a recorded picture at `now`.

    Depth is counted back from now: a picture leaves it while a session goes on.
    """
    if claims.window_from is not None and picture_us < microseconds(claims.window_from):
        return False
    if claims.window_until is not None and picture_us >= microseconds(claims.window_until):
        return False
    return claims.depth is None or picture_us >= microseconds(now - claims.depth)


def reach(claims: Claims, now: datetime) -> Reach:
    """Return the span of pictures the token may show at `now`, for lists of ranges."""
    floors = [claims.window_from, None if claims.depth is None else now - claims.depth]
    floor = max((moment for moment in floors if moment is not None), default=None)
    until = claims.window_until
    return Reach(None if floor is None else microseconds(floor), None if until is None else microseconds(until))


def narrow(claims: Claims, standing: Standing) -> Claims | No:
    """Bring claims under a standing that was judged anew: bounds only ever get tighter, versions follow."""
    window = meet((claims.window_from, claims.window_until), (standing.window_from, standing.window_until))
    if isinstance(window, No):
        return window
    fresh = {use.right: use for use in standing.grants}
    return replace(
        claims,
        expires_at=earlier(claims.expires_at, standing.valid_until),
        session_until=earlier(claims.session_until, standing.valid_until),
        grants=tuple(fresh.get(use.right, use) for use in claims.grants),
        window_from=window[0],
        window_until=window[1],
        depth=shallower(claims.depth, standing.depth),
    )


def uses_for(claims: Claims, action: Action) -> tuple[GrantUse, ...]:
    """Return the grants that one action of the token rests on."""
    needed = rights_needed((action,), claims.purpose)
    return tuple(use for use in claims.grants if use.right in needed)


def earlier(moment: datetime, other: datetime | None) -> datetime:
    """Return the earlier end of two, in whole seconds, never after either."""
    return _whole(moment) if other is None else _whole(min(moment, other))


def meet(one: Window, other: Window) -> Window | No:
    """Return what lies in both windows, in whole seconds, never beyond either."""
    starts = [_whole_up(moment) for moment in (one[0], other[0]) if moment is not None]
    ends = [_whole(moment) for moment in (one[1], other[1]) if moment is not None]
    since, until = max(starts, default=None), min(ends, default=None)
    if since is not None and until is not None and since >= until:
        return No(Why.WINDOWS_DO_NOT_MEET)
    return since, until


def shallower(*depths: timedelta | None) -> timedelta | None:
    """Return the smallest depth, in whole seconds; None if there is no limit."""
    return min((timedelta(seconds=depth // _SECOND) for depth in depths if depth is not None), default=None)


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _whole_up(moment: datetime) -> datetime:
    return moment if moment.microsecond == 0 else _whole(moment) + _SECOND
