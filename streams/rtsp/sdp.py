"""The session description that DESCRIBE answers (RFC 4566, RFC 2326 appendix C). Pure."""

import base64
from collections.abc import Sequence

from streams.media import nal
from streams.media.packets import TrackInfo
from streams.media.rtp import RtpFormat, format_of


def describe(tracks: Sequence[TrackInfo], base_url: str, session_number: int) -> bytes:
    """Return the description of live `tracks`, all of which `format_of` knows.

    Control URLs are absolute and carry no token: clients disagree on how to join a relative one to a URL with a
    query, and the control connection is already let in. Nothing in here names the operator's camera.
    """
    lines = [
        "v=0",
        f"o=- {session_number} 1 IN IP4 0.0.0.0",
        "s=live",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=range:npt=now-",
        f"a=control:{base_url}",
    ]
    for number, info in enumerate(tracks):
        rtp_format = format_of(info)
        if rtp_format is None:
            raise ValueError(f"no RTP payload format for {info.codec}")
        lines += _media(info, rtp_format, f"{base_url}trackID={number}")
    return "\r\n".join([*lines, ""]).encode("ascii")


def _media(info: TrackInfo, rtp_format: RtpFormat, control: str) -> list[str]:
    number = rtp_format.payload_type
    channels = f"/{rtp_format.channels}" if rtp_format.channels > 1 else ""
    lines = [
        f"m={info.track.value} 0 RTP/AVP {number}",
        f"a=rtpmap:{number} {rtp_format.encoding}/{rtp_format.clock_rate}{channels}",
    ]
    if parameters := _parameters(info):
        lines.append(f"a=fmtp:{number} {parameters}")
    return [*lines, f"a=control:{control}"]


def _parameters(info: TrackInfo) -> str:
    if info.codec == "h264":
        sets = nal.read_avcc(info.extradata)
        coded = ",".join(base64.b64encode(unit).decode() for unit in (*sets.sps, *sets.pps))
        return f"packetization-mode=1;profile-level-id={sets.sps[0][1:4].hex()};sprop-parameter-sets={coded}"
    if info.codec == "aac":
        return (
            "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;"
            f"config={info.extradata.hex()}"
        )
    return ""
