"""URLs, log-ins and transports are read as RFC 2326 and RFC 7617 say, and not further."""

import base64

import pytest

from streams.rtsp.addresses import OverControl, OverUdp, RtspUrl, choose_transport, read_basic, read_url
from streams.rtsp.errors import MalformedMessage, TransportNotServed


@pytest.mark.parametrize(
    ("uri", "read"),
    [
        ("rtsp://example.org/a/b", RtspUrl("example.org", "a/b", "", None)),
        ("rtsps://example.org:8322/a/b/", RtspUrl("example.org:8322", "a/b", "", None)),
        ("rtsp://[::1]:8554/a/b?token=x", RtspUrl("[::1]:8554", "a/b", "token=x", None)),
        ("rtsp://example.org/a/b/trackID=1", RtspUrl("example.org", "a/b", "", 1)),
        ("rtsp://example.org/a/b/trackID=1?token=x", RtspUrl("example.org", "a/b", "token=x", 1)),
        ("rtsp://example.org/a/b?token=x/trackID=1", RtspUrl("example.org", "a/b", "token=x", 1)),
        ("rtsp://example.org", RtspUrl("example.org", "", "", None)),
        ("rtsp://example.org/%2e%2e/b", RtspUrl("example.org", "%2e%2e/b", "", None)),
    ],
)
def test_a_url_is_taken_apart_and_not_decoded(uri: str, read: RtspUrl) -> None:
    assert read_url(uri) == read


@pytest.mark.parametrize("uri", ["*", "/a/b", "http://example.org/a", "rtsp://eve:apple@example.org/a", "rtsp:///a"])
def test_what_is_no_rtsp_url_or_carries_a_password_is_refused(uri: str) -> None:
    with pytest.raises(MalformedMessage):
        read_url(uri)


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "read"),
    [
        (f"Basic {coded('eve:ap:ple')}", ("eve", "ap:ple")),
        (f"basic   {coded('é:')}", ("é", "")),
        (f"Basic {coded('eve')}", None),
        (f"Digest {coded('eve:apple')}", None),
        ("Basic !!!!", None),
        (f"Basic {base64.b64encode(bytes((0xFF, 0x3A))).decode()}", None),
        ("", None),
        (None, None),
    ],
)
def test_only_a_basic_log_in_is_read(header: str | None, read: tuple[str, str] | None) -> None:
    assert read_basic(header) == read


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("RTP/AVP/TCP;unicast;interleaved=2-3", OverControl(2, 3)),
        ("RTP/AVP/TCP;interleaved=4", OverControl(4, 5)),
        ("RTP/AVP/TCP;unicast", OverControl(2, 3)),
        ("RTP/AVP;unicast;client_port=6000-6001", OverUdp(6000, 6001)),
        ('RTP/AVP/UDP;unicast;client_port=6000-6001;mode="PLAY"', OverUdp(6000, 6001)),
        ("RTP/AVP;unicast;destination=192.0.2.9;client_port=6000", OverUdp(6000, 6001)),
        ("RTP/AVP;multicast,RTP/SAVP;unicast,RTP/AVP/TCP;interleaved=6-7", OverControl(6, 7)),
        ("RTP/AVP/TCP;interleaved=0-1,RTP/AVP;client_port=6000-6001", OverUdp(6000, 6001)),
    ],
)
def test_the_first_offer_that_can_be_served_is_taken(header: str, chosen: OverControl | OverUdp) -> None:
    assert choose_transport(header, taken={0, 1}, udp_allowed=True) == chosen


@pytest.mark.parametrize(
    "header",
    [
        "",
        "RTP/AVP;unicast",
        "RTP/AVP;multicast;client_port=6000-6001",
        "RTP/SAVP;unicast;client_port=6000-6001",
        "RTP/AVP;unicast;client_port=80-81",
        "RTP/AVP;unicast;client_port=65535",
        "RTP/AVP;unicast;client_port=6000-6000",
        "RTP/AVP;unicast;client_port=99999-99999",
        "RTP/AVP;unicast;client_port=6000-6001;mode=record",
        "RTP/AVP/TCP;interleaved=255",
        "RTP/AVP/TCP;interleaved=300-301",
        "RTP/AVP/TCP;interleaved=1-2",
        ",".join(["RTP/SAVP"] * 8 + ["RTP/AVP/TCP"]),
    ],
)
def test_offers_that_cannot_be_served_are_refused(header: str) -> None:
    with pytest.raises(TransportNotServed):
        choose_transport(header, taken={0, 1}, udp_allowed=True)


def test_udp_is_not_served_where_it_is_not_allowed() -> None:
    with pytest.raises(TransportNotServed):
        choose_transport("RTP/AVP;unicast;client_port=6000-6001", taken=set(), udp_allowed=False)


def test_channels_run_out() -> None:
    with pytest.raises(TransportNotServed):
        choose_transport("RTP/AVP/TCP;unicast", taken=set(range(256)), udp_allowed=True)
