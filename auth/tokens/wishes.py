"""What a wish for a stream token becomes: pure, like `rules.py`, of which it is the issuing half."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from auth.principal import Granted, Right
from auth.tokens.rules import (
    EPOCH,
    LONGEST_SESSION,
    Action,
    Claims,
    GrantUse,
    No,
    Purpose,
    Standing,
    Why,
    Yes,
    earlier,
    meet,
    shallower,
)
from vms_privacy.ids import CameraId, OperatorId, PersonId, TokenId

DEFAULT_LIFETIME: Final = timedelta(seconds=300)
SHORTEST_LIFETIME: Final = timedelta(seconds=10)
LONGEST_LIFETIME: Final = timedelta(hours=12)
_TOO_LATE: Final = datetime(9999, 1, 1, tzinfo=UTC)
FITS: Final[Mapping[Purpose, frozenset[Action]]] = MappingProxyType(
    {
        Purpose.LIVE_VIEW: frozenset({Action.LIVE}),
        Purpose.ARCHIVE_VIEW: frozenset({Action.LIVE, Action.ARCHIVE}),
        Purpose.EXPORT: frozenset({Action.ARCHIVE}),
        Purpose.EVIDENCE: frozenset({Action.ARCHIVE}),
        Purpose.HEALTH: frozenset({Action.LIVE}),
    }
)
_PURPOSES: Final = frozenset(Purpose)
_OVER_ARCHIVE: Final = frozenset({Right.ARCHIVE, Right.EXPORT})


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks a token for; `purpose` in their own words, which `judge_wish` takes at none but ours."""

    camera_id: CameraId
    actions: frozenset[Action]
    purpose: str
    lifetime: timedelta = DEFAULT_LIFETIME
    window_from: datetime | None = None
    window_until: datetime | None = None


def judge_wish(wish: Wish) -> Yes | No:
    """Say whether a wish makes sense for anybody, before asking what the asker may."""
    if not wish.actions:
        return No(Why.NO_ACTION)
    if not SHORTEST_LIFETIME <= wish.lifetime <= LONGEST_LIFETIME:
        return No(Why.LIFETIME_OUT_OF_RANGE)
    bounds = [moment for moment in (wish.window_from, wish.window_until) if moment is not None]
    if any(not EPOCH <= moment < _TOO_LATE for moment in bounds):
        return No(Why.WINDOW_OUT_OF_RANGE)
    if len(bounds) == 2 and bounds[0] >= bounds[1]:
        return No(Why.WINDOW_RUNS_BACKWARD)
    if wish.purpose not in _PURPOSES:
        return No(Why.PURPOSE_UNKNOWN)
    if not wish.actions <= FITS[Purpose(wish.purpose)]:
        return No(Why.PURPOSE_DOES_NOT_FIT)
    return Yes()


def grant_wish(
    wish: Wish, standing: Standing, token_id: TokenId, person_id: PersonId, operator_id: OperatorId, now: datetime
) -> Claims | No:
    """Make claims that are inside both the wish and the standing; never longer, deeper or wider than either."""
    start = now.replace(microsecond=0)
    expires_at = earlier(start + wish.lifetime, standing.valid_until)
    if expires_at <= now:
        return No(Why.GRANT_ENDS_TOO_SOON)
    window = meet((wish.window_from, wish.window_until), (standing.window_from, standing.window_until))
    if isinstance(window, No):
        return window
    return Claims(
        token_id=token_id,
        person_id=person_id,
        operator_id=operator_id,
        camera_id=wish.camera_id,
        actions=wish.actions,
        purpose=Purpose(wish.purpose),
        not_before=start,
        expires_at=expires_at,
        session_until=earlier(start + LONGEST_SESSION, standing.valid_until),
        grants=standing.grants,
        window_from=window[0],
        window_until=window[1],
        depth=shallower(standing.depth),
    )


def standing_of(yeses: Iterable[Granted]) -> Standing:
    """Fold the gate's answers for all rights of a token into one standing.

    Windows and depths bound the archive, so only the answers for rights over recorded pictures narrow them.
    """
    granted = sorted(yeses, key=lambda one: one.right)
    over_archive = [one for one in granted if one.right in _OVER_ARCHIVE]
    return Standing(
        grants=tuple(GrantUse(one.right, one.grant_id, one.grant_version) for one in granted),
        valid_until=min((one.valid_until for one in granted if one.valid_until is not None), default=None),
        window_from=max((one.window_from for one in over_archive if one.window_from is not None), default=None),
        window_until=min((one.window_until for one in over_archive if one.window_until is not None), default=None),
        depth=min((one.depth for one in over_archive if one.depth is not None), default=None),
    )
