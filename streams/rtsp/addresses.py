"""What an RTSP URL and a Transport header ask for (RFC 2326, 3.2 and 12.39). Pure."""

import base64
import binascii
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from streams.rtsp.errors import MalformedMessage, TransportNotServed

_URL = re.compile(r"(?P<scheme>rtsps?)://(?P<authority>[^/?#@]{1,255})(?:/(?P<path>[^?#]*))?(?:\?(?P<query>[^#]*))?\Z")
_TRACK = re.compile(r"(?P<rest>.*?)/?trackID=(?P<number>[0-9]{1,3})/?\Z")
_RANGE = re.compile(r"(?P<first>[0-9]{1,5})(?:-(?P<second>[0-9]{1,5}))?\Z")
_OFFERS_READ = 8


@dataclass(frozen=True, slots=True)
class RtspUrl:
    """A request URI taken apart. `path` has no outer slashes and is not percent-decoded; `track` is None for all."""

    authority: str
    path: str
    query: str = field(repr=False)
    track: int | None


def read_url(uri: str) -> RtspUrl:
    """Take an absolute URL apart.

    The track may stand at the end of the path or, since some clients paste it behind the whole URL, of the query.

    Raises:
        MalformedMessage: not an rtsp URL, or one that carries a password.

    """
    match = _URL.match(uri)
    if match is None:
        raise MalformedMessage("the request needs an absolute rtsp URL without a password")
    path, query, track = match["path"] or "", match["query"] or "", None
    if in_path := _TRACK.match(path):
        path, track = in_path["rest"], int(in_path["number"])
    elif in_query := _TRACK.match(query):
        query, track = in_query["rest"], int(in_query["number"])
    return RtspUrl(match["authority"], path.strip("/"), query.rstrip("/"), track)


def read_basic(header: str | None) -> tuple[str, str] | None:
    """Return user and password of a Basic Authorization header (RFC 7617), or None for anything else."""
    scheme, _, coded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(coded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon else None


@dataclass(frozen=True, slots=True)
class OverControl:
    """RTP inside the control connection, on two of its channels."""

    rtp: int
    rtcp: int


@dataclass(frozen=True, slots=True)
class OverUdp:
    """RTP to two ports of the control connection's own address."""

    rtp: int
    rtcp: int


def choose_transport(header: str, taken: Collection[int], udp_allowed: bool) -> OverControl | OverUdp:
    """Take the first offer that we can serve; `taken` are the channels other tracks use.

    `destination` and `source` are not read at all: media goes where the control connection comes from.

    Raises:
        TransportNotServed: multicast, recording, foreign profiles, privileged ports, or nothing left.

    """
    for offer in header.split(",")[:_OFFERS_READ]:
        chosen = _read_offer([part.strip() for part in offer.split(";")], taken, udp_allowed)
        if chosen is not None:
            return chosen
    raise TransportNotServed("none of the offered transports is served here")


def _read_offer(parts: list[str], taken: Collection[int], udp_allowed: bool) -> OverControl | OverUdp | None:
    profile, *rest = parts
    flags = {part.lower() for part in rest if "=" not in part}
    values = {name.strip().lower(): value.strip().strip('"') for name, _, value in (p.partition("=") for p in rest)}
    if "multicast" in flags or values.get("mode", "play").lower() != "play":
        return None
    if profile.upper() == "RTP/AVP/TCP":
        return _channels(values.get("interleaved"), taken)
    if profile.upper() in {"RTP/AVP", "RTP/AVP/UDP"} and udp_allowed:
        return _ports(values.get("client_port"))
    return None


def _channels(asked: str | None, taken: Collection[int]) -> OverControl | None:
    if asked is None:
        free = next((n for n in range(0, 256, 2) if n not in taken and n + 1 not in taken), None)
        return None if free is None else OverControl(free, free + 1)
    pair = _pair(asked, 255)
    if pair is None or pair[0] in taken or pair[1] in taken:
        return None
    return OverControl(*pair)


def _ports(asked: str | None) -> OverUdp | None:
    pair = _pair(asked or "", 65535)
    if pair is None or min(pair) < 1024:
        return None
    return OverUdp(*pair)


def _pair(text: str, highest: int) -> tuple[int, int] | None:
    match = _RANGE.match(text)
    if match is None:
        return None
    first = int(match["first"])
    second = int(match["second"]) if match["second"] else first + 1
    return (first, second) if first != second and max(first, second) <= highest else None
