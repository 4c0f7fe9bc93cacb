"""What a child says is believed only as far as it can be true."""

import json

import pytest

from streams.media.child_protocol import (
    ChildSpeaksNonsense,
    Coded,
    NewEpoch,
    Plan,
    Reader,
    Up,
    read_end,
    read_epoch,
    read_packets,
    read_plan,
    write,
    write_end,
    write_epoch,
    write_packets,
    write_plan,
)
from streams.media.faults import Fault
from streams.media.offer import AudioOffer, VideoOffer
from streams.media.packets import Track, TrackInfo

VIDEO = TrackInfo(Track.VIDEO, "h264", 90_000, b"\x01record", width=160, height=96)
EPOCH = NewEpoch((VIDEO,), {frozenset({Track.VIDEO}): b"init"})
PACKETS = [
    Coded(Track.VIDEO, True, 0, 7200, 3600, 1_000_000, b"key"),
    Coded(Track.AUDIO, False, 5, 5, 1024, 1_000_000, b""),
]


def test_what_is_written_is_read_again() -> None:
    video = VideoOffer("h264", 96, 90_000, "v", (b"\x67a",))
    plan = Plan(video, 0, 1, AudioOffer(97, 48_000, 2, "a", b"\x11\x90"), 2, 3)
    assert read_plan(write_plan(plan)) == plan
    assert read_epoch(write_epoch(EPOCH)) == EPOCH
    assert read_packets(write_packets(3, PACKETS)) == (3, PACKETS)
    assert read_end(write_end(Fault.GARBAGE, "why")) == (Fault.GARBAGE, "why")


def test_messages_may_come_in_any_pieces() -> None:
    whole = write(Up.PACKETS, 7, b"abc", at_us=5) + write(Up.ENDED, 8)
    reader = Reader()
    found = [message for at in range(len(whole)) for message in reader.feed(whole[at : at + 1])]
    assert found == [(Up.PACKETS, 7, 5, b"abc"), (Up.ENDED, 8, 0, b"")]


def altered(**changes: object) -> bytes:
    said = json.loads(write_epoch(EPOCH))
    said["tracks"][0] |= changes
    return json.dumps(said).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 200_000,
        altered(timescale=0),
        altered(timescale="90000"),
        altered(width=-1),
        altered(codec="evil"),
        altered(track="smell"),
        altered(extradata="zz"),
        altered(track="audio"),
        json.dumps({"tracks": [], "init": [], "sound_refused": False}).encode(),
        b" " * 2_000_000,
    ],
)
def test_an_epoch_that_cannot_be_is_nonsense(body: bytes) -> None:
    with pytest.raises(ChildSpeaksNonsense):
        read_epoch(body)


@pytest.mark.parametrize(
    "packet",
    [
        Coded(Track.VIDEO, True, 1, 0, 1, 1, b""),
        Coded(Track.VIDEO, True, -1, 0, 1, 1, b""),
        Coded(Track.VIDEO, True, 0, 2**62, 1, 1, b""),
        Coded(Track.VIDEO, True, 0, 0, 1, 2**63, b""),
    ],
)
def test_stamps_that_cannot_be_are_nonsense(packet: Coded) -> None:
    with pytest.raises(ChildSpeaksNonsense):
        read_packets(write_packets(0, [packet]))


def test_a_batch_that_does_not_add_up_is_nonsense() -> None:
    body = write_packets(0, PACKETS)
    for wrong in (body[:-1], body + b"x", body[:4], b"", body[:6] + b"\x09" + body[7:]):
        with pytest.raises(ChildSpeaksNonsense):
            read_packets(wrong)


def test_a_message_longer_than_any_is_nonsense() -> None:
    with pytest.raises(ChildSpeaksNonsense):
        list(Reader().feed(b"\x01" + b"\xff" * 16))


@pytest.mark.parametrize("body", [b"", b"no-such-fault\nx", b"garbage\n\x1b[2J", b"\xff\n"])
def test_an_end_that_cannot_be_shown_is_nonsense(body: bytes) -> None:
    with pytest.raises(ChildSpeaksNonsense):
        read_end(body)
