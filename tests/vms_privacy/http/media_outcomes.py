"""The table of outcomes of media: who looks shows a stream token, or the key of the session that a token opened."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final, Self

from tests.vms_privacy.http.outcomes import Cell


@unique
class Holder(StrEnum):
    """What is shown. Everybody else's token or key is good for what it was given for."""

    NO_TOKEN = "no token"
    GARBAGE = "what is no token"
    ACCESS_TOKEN = "the access token of the operator's owner"
    OTHER_CAMERA = "a token for another camera of the operator"
    NEIGHBOUR = "a neighbour's token for a camera of theirs"
    OTHER_ACTION = "a token for the camera without this action"
    EXPIRED = "a token whose time to start is over"
    WITHDRAWN = "a token that was withdrawn"
    GRANT_WITHDRAWN = "a token whose grant was withdrawn"
    DISABLED = "a token whose person was disabled"
    OUT_OF_WINDOW = "a token for another span of time"
    HANDLE = "the right token, as a handle"
    JWT = "the right token, as a JWT"
    NO_KEY = "no key"
    GARBAGE_KEY = "what is no key"
    TOKEN_AS_KEY = "the right token in the place of the key"
    OTHER_CAMERA_KEY = "the key of a session on another camera"
    OTHER_ACTION_KEY = "the key of a session on this camera for another action"
    ENDED_KEY = "the key of a session that was ended"
    CUT_KEY = "the key of a session whose grant was withdrawn"
    KEY = "the right key"

    @classmethod
    def of_tokens(cls) -> set[Self]:
        return {one for one in cls if one not in cls.of_keys()}

    @classmethod
    def of_keys(cls) -> set[Self]:
        names = {"NO_KEY", "GARBAGE_KEY", "TOKEN_AS_KEY", "ENDED_KEY", "CUT_KEY", "KEY"}
        return {one for one in cls if one.name in names or one.name.endswith("_KEY")}

    @property
    def is_known(self) -> bool:
        """Say whether what is shown is of somebody, so that a refusal is theirs in the audit."""
        nameless = {Holder.NO_TOKEN, Holder.GARBAGE, Holder.ACCESS_TOKEN}
        return self in Holder.of_tokens() and self not in nameless


@dataclass(frozen=True, slots=True)
class MediaRow:
    """One operation; in its path only the names and the times of the stage's footage are left open."""

    operation: str
    needs: str
    outcomes: Mapping[Holder, Cell]

    def __hash__(self) -> int:
        return hash(self.operation)


_BAD: Final = Cell(401, "token-is-bad")
_OVER: Final = Cell(401, "session-over")
_MISSING: Final = Cell(404, "not-found")
_WITHDRAWN: Final = Cell(401, "token-withdrawn")
_DONE: Final = Cell(200)


def _with_token(out_of_window: Cell = _DONE) -> Mapping[Holder, Cell]:
    return {
        Holder.NO_TOKEN: _BAD,
        Holder.GARBAGE: _BAD,
        Holder.ACCESS_TOKEN: _BAD,
        Holder.OTHER_CAMERA: _MISSING,
        Holder.NEIGHBOUR: _MISSING,
        Holder.OTHER_ACTION: Cell(403, "token-lacks-action"),
        Holder.EXPIRED: Cell(401, "token-expired"),
        Holder.WITHDRAWN: _WITHDRAWN,
        Holder.GRANT_WITHDRAWN: _WITHDRAWN,
        Holder.DISABLED: _WITHDRAWN,
        Holder.OUT_OF_WINDOW: out_of_window,
        Holder.HANDLE: _DONE,
        Holder.JWT: _DONE,
    }


def _with_key() -> Mapping[Holder, Cell]:
    return {
        Holder.NO_KEY: _OVER,
        Holder.GARBAGE_KEY: _OVER,
        Holder.TOKEN_AS_KEY: _OVER,
        Holder.OTHER_CAMERA_KEY: _MISSING,
        Holder.OTHER_ACTION_KEY: _MISSING,
        Holder.ENDED_KEY: _OVER,
        Holder.CUT_KEY: _WITHDRAWN,
        Holder.KEY: _DONE,
    }


_AT: Final = "/{operator}/{camera}"
_LIVE: Final = "stream token for live"
_ARCHIVE: Final = "stream token for archive"
_OUTSIDE: Final = Cell(403, "outside-window")

BY_TOKEN: Final = (
    MediaRow(f"GET {_AT}/index.m3u8", _LIVE, _with_token()),
    MediaRow(f"GET {_AT}/live.mp4", _LIVE, _with_token()),
    MediaRow(f"GET {_AT}/info.json", _LIVE, _with_token()),
    MediaRow(f"GET {_AT}/media_info.json", _LIVE, _with_token()),
    MediaRow(f"GET {_AT}/archive-{{start}}-{{duration}}.m3u8", _ARCHIVE, _with_token(_OUTSIDE)),
    MediaRow(f"GET {_AT}/archive-{{start}}-{{duration}}.mp4", _ARCHIVE, _with_token(_OUTSIDE)),
    # These say what the token reaches, which may be nothing.
    MediaRow(f"GET {_AT}/ranges.json", _ARCHIVE, _with_token()),
    MediaRow(f"GET {_AT}/recording_status.json", _ARCHIVE, _with_token()),
)
BY_KEY: Final = (
    MediaRow(f"GET {_AT}/live.m3u8", "media session for live", _with_key()),
    MediaRow(f"GET {_AT}/live/{{run}}/init.mp4", "media session for live", _with_key()),
    MediaRow(f"GET {_AT}/live/{{number}}.m4s", "media session for live", _with_key()),
    MediaRow(f"GET {_AT}/archive/{{segment_id}}/init.mp4", "media session for archive", _with_key()),
    MediaRow(f"GET {_AT}/archive/{{segment_id}}/{{first}}-{{last}}.m4s", "media session for archive", _with_key()),
)
