"""RTP packets say what the access unit said, and when it was captured."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.media import nal
from streams.media.packets import Packet, Track, TrackInfo
from streams.media.rtp import NotPackable, RtpFormat, RtpStart, RtpStream, format_of
from tests.given.rtp_reader import aac_unit, h264_units, read_compound, read_rtp

SPS, PPS = bytes.fromhex("6742c01fda014016e8"), bytes.fromhex("68ce0fc8")
VIDEO = TrackInfo(Track.VIDEO, "h264", 90_000, nal.make_avcc([SPS], [PPS]), width=1280, height=720)
AAC = TrackInfo(Track.AUDIO, "aac", 48_000, bytes.fromhex("1188"), sample_rate=48_000, channels=1)
ULAW = TrackInfo(Track.AUDIO, "pcm_mulaw", 8_000, b"", sample_rate=8_000, channels=1)
START = RtpStart(ssrc=0xCAFE, sequence=65_534, timestamp=0xFFFF_FFF0)


def picture(*units: bytes, at: int = 0, is_key: bool = False) -> Packet:
    """A picture at a second of an epoch that began at noon of some day."""
    us = 1_800_000_000_000_000 + at * 1_000_000
    return Packet(Track.VIDEO, at * 90_000, at * 90_000, 3600, is_key, nal.with_lengths(units), us, us)


units = st.builds(
    lambda kind, rest: bytes((0x60 | kind,)) + rest, st.integers(1, 8), st.binary(min_size=1, max_size=400)
)


@given(sent=st.lists(units, min_size=1, max_size=5), size=st.integers(20, 100), is_key=st.booleans())
def test_every_unit_of_a_picture_arrives_whole_and_in_order(sent: list[bytes], size: int, is_key: bool) -> None:
    stream = RtpStream(VIDEO, START, payload_size=size)
    packets = [read_rtp(data) for data in stream.packets(picture(*sent, is_key=is_key))]
    assert all(len(packet.payload) <= size for packet in packets)
    assert [packet.marker for packet in packets] == [False] * (len(packets) - 1) + [True]
    assert {packet.timestamp for packet in packets} == {START.timestamp}
    has_sets = any(nal.kind_of(unit) == nal.SPS for unit in sent)
    assert h264_units(packets) == (sent if has_sets or not is_key else [SPS, PPS, *sent])


def test_delimiters_are_left_out_and_user_data_is_not() -> None:
    sei = nal.user_data(bytes(range(1, 17)), b"canary")
    stream = RtpStream(VIDEO, START)
    packets = [read_rtp(data) for data in stream.packets(picture(b"\x09\xf0", sei, b"\x41abc"))]
    assert h264_units(packets) == [sei, b"\x41abc"]


def test_numbers_and_times_go_round_at_their_end() -> None:
    stream = RtpStream(VIDEO, START)
    packets = [read_rtp(d) for at in range(3) for d in stream.packets(picture(b"\x41abc", at=at))]
    assert [packet.sequence for packet in packets] == [65_534, 65_535, 0]
    assert [packet.timestamp for packet in packets] == [0xFFFF_FFF0, 89_984, 179_984]


def test_a_picture_shown_later_than_decoded_keeps_its_presentation_time() -> None:
    stream = RtpStream(VIDEO, RtpStart(1, 1, 0))
    stream.packets(picture(b"\x41abc"))
    (packet,) = stream.packets(replace(picture(b"\x41abc", at=1), pts=2 * 90_000))
    assert read_rtp(packet).timestamp == 180_000


@pytest.mark.parametrize(("size", "parts"), [(100, 1), (1396, 1), (1397, 2), (8191, 6)])
def test_an_aac_unit_arrives_whole(size: int, parts: int) -> None:
    data = bytes(n % 251 for n in range(size))
    stream = RtpStream(AAC, START)
    packets = [read_rtp(d) for d in stream.packets(Packet(Track.AUDIO, 0, 0, 1024, True, data, 0, 0))]
    assert len(packets) == parts
    assert aac_unit(packets) == data


@pytest.mark.parametrize("size", [0, 8192])
def test_an_aac_unit_that_its_header_cannot_tell_is_refused(size: int) -> None:
    with pytest.raises(NotPackable, match="8191"):
        RtpStream(AAC, START).packets(Packet(Track.AUDIO, 0, 0, 1024, True, bytes(size), 0, 0))


def test_a_picture_whose_units_do_not_add_up_is_refused_and_the_next_is_not() -> None:
    stream = RtpStream(VIDEO, START)
    with pytest.raises(NotPackable):
        stream.packets(replace(picture(b"\x41abc"), data=b"\x00\x00\x00\x09abc"))
    assert h264_units([read_rtp(d) for d in stream.packets(picture(b"\x41abc"))]) == [b"\x41abc"]


def test_g711_samples_are_their_own_clock() -> None:
    stream = RtpStream(ULAW, RtpStart(1, 1, 1000), payload_size=160)
    packets = [read_rtp(d) for d in stream.packets(Packet(Track.AUDIO, 0, 0, 400, True, bytes(400), 0, 0))]
    assert [(packet.timestamp, len(packet.payload)) for packet in packets] == [(1000, 160), (1160, 160), (1320, 80)]
    assert {packet.payload_type for packet in packets} == {0}


def test_a_report_ties_rtp_time_to_the_moment_of_capture() -> None:
    stream = RtpStream(VIDEO, RtpStart(7, 1, 500))
    stream.packets(picture(b"\x41abc"))
    report, kinds = read_compound(stream.sender_report(replace(picture(b"\x41abc", at=10), pts=12 * 90_000)))
    assert kinds == [200, 202]
    assert (report.ssrc, report.rtp_time) == (7, 900_500)
    assert report.utc_seconds == pytest.approx(1_800_000_010, abs=1e-6)
    assert (report.packets, report.octets) == (1, 4)


def test_a_new_epoch_goes_on_by_the_time_that_passed() -> None:
    stream = RtpStream(VIDEO, RtpStart(1, 1, 0))
    stream.packets(picture(b"\x41abc"))
    stream.renew(VIDEO)
    later = picture(b"\x41abc", at=20)
    (packet,) = stream.packets(replace(later, dts=0, pts=0))
    assert read_rtp(packet).timestamp == 20 * 90_000


def test_a_new_epoch_brings_its_own_parameter_sets() -> None:
    other = bytes.fromhex("674d401eaabbccdd")
    stream = RtpStream(VIDEO, START)
    stream.renew(replace(VIDEO, extradata=nal.make_avcc([other], [PPS])))
    packets = [read_rtp(d) for d in stream.packets(picture(b"\x65abc", is_key=True))]
    assert h264_units(packets) == [other, PPS, b"\x65abc"]


def test_the_goodbye_is_a_compound_of_report_and_bye() -> None:
    goodbye = RtpStream(VIDEO, START).goodbye()
    assert (goodbye[1], goodbye[9]) == (201, 203)
    assert len(goodbye) == 16


def test_only_what_has_a_format_is_streamed() -> None:
    hevc = replace(VIDEO, codec="hevc")
    assert format_of(hevc) is None
    assert format_of(replace(ULAW, sample_rate=16_000)) is None
    assert format_of(replace(ULAW, codec="pcm_alaw")) == RtpFormat(8, "PCMA", 8000)
    assert format_of(replace(AAC, sample_rate=0)) is None
    assert format_of(replace(VIDEO, extradata=VIDEO.extradata[:-1])) is None
    with pytest.raises(ValueError, match="hevc"):
        RtpStream(hevc, START)
