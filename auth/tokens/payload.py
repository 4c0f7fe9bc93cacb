"""The payload of a JWT stream token, written and read: docs/formats/stream-token-v1.md, section 3.

One claim set has one encoding. A reader refuses what a writer never writes: unknown or doubled members, numbers with
a fraction, ids not in their canonical form, times out of order.
"""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NoReturn

from auth.principal import Right
from auth.tokens.errors import TokenIsBad
from auth.tokens.rules import LONGEST_SESSION, Action, Claims, GrantUse, Purpose, rights_needed
from vms_privacy.ids import CameraId, GrantId, OperatorId, PersonId, TokenId

_ALWAYS: Final = frozenset({"iss", "aud", "sub", "jti", "iat", "nbf", "exp", "ses", "op", "cam", "act", "pur", "gra"})
_SOMETIMES: Final = frozenset({"wfr", "wto", "dep"})
_ACTIONS: Final = frozenset(Action)
_PURPOSES: Final = frozenset(Purpose)
_LATEST_TIME: Final = 253_402_300_799
"""The last second of the year 9999."""
_LARGEST_VERSION: Final = 2**31 - 1


def write_payload(claims: Claims, issuer: str, audience: str) -> bytes:
    """Return the payload of a token: one line of JSON, members sorted, no spaces."""
    members: dict[str, object] = {
        "iss": issuer,
        "aud": audience,
        "sub": str(claims.person_id),
        "jti": str(claims.token_id),
        "iat": _seconds(claims.not_before),
        "nbf": _seconds(claims.not_before),
        "exp": _seconds(claims.expires_at),
        "ses": _seconds(claims.session_until),
        "op": str(claims.operator_id),
        "cam": str(claims.camera_id),
        "act": sorted(claims.actions),
        "pur": claims.purpose,
        "gra": {use.right: write_use(use) for use in claims.grants},
    }
    if claims.window_from is not None:
        members["wfr"] = _seconds(claims.window_from)
    if claims.window_until is not None:
        members["wto"] = _seconds(claims.window_until)
    if claims.depth is not None:
        members["dep"] = int(claims.depth.total_seconds())
    return json.dumps(members, separators=(",", ":"), sort_keys=True).encode()


def read_payload(payload: bytes, issuer: str, audience: str) -> Claims:
    """Return the claims of a payload whose signature was verified. Raises TokenIsBad."""
    members = _members(payload)
    if _text(members, "iss") != issuer:
        raise TokenIsBad("issuer")
    if _text(members, "aud") != audience:
        raise TokenIsBad("audience")
    actions = _actions(members)
    purpose = _purpose(members)
    claims = Claims(
        token_id=TokenId(_id(members, "jti")),
        person_id=PersonId(_id(members, "sub")),
        operator_id=OperatorId(_id(members, "op")),
        camera_id=CameraId(_id(members, "cam")),
        actions=actions,
        purpose=purpose,
        not_before=_time(members, "nbf"),
        expires_at=_time(members, "exp"),
        session_until=_time(members, "ses"),
        grants=_grants(members, rights_needed(actions, purpose)),
        window_from=_time(members, "wfr") if "wfr" in members else None,
        window_until=_time(members, "wto") if "wto" in members else None,
        depth=timedelta(seconds=_number(members, "dep", _LATEST_TIME)) if "dep" in members else None,
    )
    _check_times(claims, _time(members, "iat"))
    return claims


def write_use(use: GrantUse) -> str:
    """Write the grant of one right: its id, a dot, its version."""
    return f"{use.grant_id}.{use.version}"


def read_use(right: Right, text: object) -> GrantUse:
    """Read what `write_use` wrote. Raises TokenIsBad."""
    grant, dot, version = text.partition(".") if isinstance(text, str) else ("", "", "")
    if not dot or not version.isascii() or not version.isdigit() or str(int(version[:11])) != version:
        raise TokenIsBad("grant")
    if not 1 <= int(version) <= _LARGEST_VERSION:
        raise TokenIsBad("grant")
    return GrantUse(right, GrantId(_uuid(grant, "grant")), int(version))


def _members(payload: bytes) -> Mapping[str, object]:
    try:
        members = json.loads(
            payload, object_pairs_hook=_once_each, parse_float=_no_such_number, parse_constant=_no_such_number
        )
    except (ValueError, RecursionError):
        raise TokenIsBad("payload") from None
    if not isinstance(members, dict) or not _ALWAYS <= members.keys() <= _ALWAYS | _SOMETIMES:
        raise TokenIsBad("members")
    return members


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise TokenIsBad("doubled member")
    return found


def _no_such_number(_: str) -> NoReturn:
    raise TokenIsBad("number")


def _text(members: Mapping[str, object], name: str) -> str:
    value = members[name]
    if not isinstance(value, str):
        raise TokenIsBad(name)
    return value


def _number(members: Mapping[str, object], name: str, largest: int) -> int:
    value = members[name]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= largest:
        raise TokenIsBad(name)
    return value


def _time(members: Mapping[str, object], name: str) -> datetime:
    return datetime.fromtimestamp(_number(members, name, _LATEST_TIME), UTC)


def _id(members: Mapping[str, object], name: str) -> uuid.UUID:
    return _uuid(_text(members, name), name)


def _uuid(text: str, name: str) -> uuid.UUID:
    try:
        found = uuid.UUID(text)
    except ValueError:
        raise TokenIsBad(name) from None
    if str(found) != text:
        raise TokenIsBad(name)
    return found


def _actions(members: Mapping[str, object]) -> frozenset[Action]:
    value = members["act"]
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(name, str) and name in _ACTIONS for name in value)
    ):
        raise TokenIsBad("act")
    if value != sorted(set(value)):
        raise TokenIsBad("act")
    return frozenset(Action(name) for name in value)


def _purpose(members: Mapping[str, object]) -> Purpose:
    value = _text(members, "pur")
    if value not in _PURPOSES:
        raise TokenIsBad("pur")
    return Purpose(value)


def _grants(members: Mapping[str, object], needed: frozenset[Right]) -> tuple[GrantUse, ...]:
    value = members["gra"]
    if not isinstance(value, dict) or value.keys() != needed:
        raise TokenIsBad("gra")
    return tuple(read_use(right, value[right]) for right in sorted(needed))


def _check_times(claims: Claims, issued_at: datetime) -> None:
    in_order = issued_at <= claims.not_before < claims.expires_at <= claims.session_until
    if not in_order or claims.session_until - issued_at > LONGEST_SESSION:
        raise TokenIsBad("times")
    if claims.window_from and claims.window_until and claims.window_from >= claims.window_until:
        raise TokenIsBad("window")


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
