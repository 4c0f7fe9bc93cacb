"""When a media session goes on, is asked about again, or ends. Pure: what is known goes in, a verdict comes out."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique
from typing import Final

from auth.revocation.rules import Footing, Hearing

LONGEST_GAP_S: Final = 30.0
"""How long a client that comes with many requests may be silent between two of them."""


@unique
class Protocol(StrEnum):
    """How the media travels."""

    HLS = "hls"
    """Playlists and fragments, live or archive, in many short requests."""
    FILE = "file"
    """A finite archive file, possibly in many range requests."""
    STREAM = "stream"
    """One endless HTTP response, such as `live.mp4`."""
    SOCKET = "socket"
    """A websocket, such as `mse_ld`."""
    RTSP = "rtsp"

    @property
    def comes_again(self) -> bool:
        """Say whether one viewer is many requests, so that the same client's next one belongs to the same session."""
        return self in {Protocol.HLS, Protocol.FILE}


@unique
class End(StrEnum):
    """Why a session ended. Stable: audit rows carry these."""

    CLIENT_LEFT = "client-left"
    MEDIA_OVER = "media-over"
    SILENCE = "silence"
    BROKEN_OFF = "media-broken-off"
    """What was under way could not go on: it expired, was destroyed or is damaged."""
    TIME_OVER = "session-time-over"
    WITHDRAWN = "withdrawn"
    NO_LONGER_ALLOWED = "no-longer-allowed"
    RESTRICTED = "footage-restricted"
    NOT_JUDGED = "cannot-be-judged"
    DEAF = "not-heard-of-withdrawals"
    STOPPING = "service-stopping"

    @property
    def is_cut(self) -> bool:
        """Say whether something other than the viewer ended it, so that what is still unsent is thrown away."""
        return self not in {End.CLIENT_LEFT, End.MEDIA_OVER, End.SILENCE}


@dataclass(frozen=True, slots=True)
class Stays:
    """It goes on."""


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Memory cannot say: the grants decide, and until they did nothing is assumed."""


@dataclass(frozen=True, slots=True)
class Ends:
    """It is over."""

    why: End


@dataclass(frozen=True, slots=True)
class Signs:
    """What is known about one session: until when it may go on, how long its client has been silent, what it rests on.

    `silence_s` is 0 while a response is under way; `is_restricted`: a restriction closes what it shows.
    """

    session_until: datetime
    silence_s: float
    footing: Footing
    hearing: Hearing
    is_restricted: bool = False


def judge_session(signs: Signs, now: datetime) -> Stays | AskAgain | Ends:
    """Say what becomes of a session at `now`. Every doubt ends it or asks; nothing but certainty lets it stay."""
    if signs.footing is Footing.WITHDRAWN:
        return Ends(End.WITHDRAWN)
    if signs.is_restricted:
        return Ends(End.RESTRICTED)
    if not signs.hearing.may_go_on:
        return Ends(End.DEAF)
    if now >= signs.session_until:
        return Ends(End.TIME_OVER)
    if signs.silence_s > LONGEST_GAP_S:
        return Ends(End.SILENCE)
    return AskAgain() if signs.footing is Footing.ASK_AGAIN else Stays()


@dataclass(frozen=True, slots=True)
class Limits:
    """How many sessions there may be at once."""

    per_person: int = 32
    per_camera: int = 1000
    in_all: int = 5000


def over_limit(of_person: int, of_camera: int, in_all: int, limits: Limits) -> str | None:
    """Name the limit that one more session would break; None if there is room."""
    if of_person >= limits.per_person:
        return "person"
    if of_camera >= limits.per_camera:
        return "camera"
    return "service" if in_all >= limits.in_all else None
