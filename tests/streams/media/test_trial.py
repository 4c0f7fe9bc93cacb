"""A film is decoded in a child of its own, which answers with four numbers and nothing else."""

import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.media.trial import DecoderFailed, DecoderUnavailable, DecodeTrial
from streams.media.trial_child import Incoming, decode
from streams.media.trial_rules import ANSWER, LENGTH, TrialSpeaksNonsense, Tried, read_answer, write_answer
from tests.given.encoded import encoded
from tests.given.fragmented import fragments_of


@pytest.fixture
def decoder() -> Iterator[DecodeTrial]:
    made = DecodeTrial()
    yield made
    made.close()


def film(seconds: float = 2.0, *, audio: bool = False) -> bytes:
    stream = encoded(seconds, gop=25, audio=audio)
    epoch = stream.epoch()
    init = epoch.init[frozenset(info.track for info in epoch.tracks)]
    return init + b"".join(one.data for one in fragments_of(epoch, list(stream.packets)))


def test_every_picture_and_every_sound_of_a_film_is_counted(decoder: DecodeTrial) -> None:
    tried = decoder.run([film(2.0)])
    assert (tried.decodes, tried.pictures, tried.sounds, tried.refused) == (True, 50, 0, 0)
    tried = decoder.run([film(2.0, audio=True)])
    assert tried.decodes
    assert tried.pictures == 50
    assert tried.sounds > 80


def test_a_film_may_come_in_pieces_of_any_size_and_the_child_serves_for_the_next(decoder: DecodeTrial) -> None:
    whole = film()
    pieces = [whole[at : at + 777] for at in range(0, len(whole), 777)]
    assert decoder.run(pieces).pictures == 50
    child = decoder.process_id
    assert decoder.run(iter([b"", whole])).pictures == 50
    assert child is not None
    assert decoder.process_id == child


@pytest.mark.parametrize("media", [b"", b"no film" * 5000, bytes(100_000)])
def test_what_is_no_film_is_said_to_be_none_and_the_next_is_tried(decoder: DecodeTrial, media: bytes) -> None:
    assert not decoder.run([media]).decodes
    assert decoder.run([film()]).decodes


def test_pictures_that_were_overwritten_do_not_decode(decoder: DecodeTrial) -> None:
    media = bytearray(film())
    at = media.index(b"mdat") + 8
    media[at:] = bytes(len(media) - at)
    assert not decoder.run([bytes(media)]).decodes


def test_a_damaged_picture_is_refused_and_the_others_count(decoder: DecodeTrial) -> None:
    media = bytearray(film())
    at = media.rindex(b"mdat") + 12
    media[at : at + 8] = b"\xff" * 8
    tried = decoder.run([bytes(media)])
    assert tried.decodes
    assert (tried.pictures, tried.refused) == (49, 1)


def test_a_child_that_dies_costs_one_film(decoder: DecodeTrial) -> None:
    decoder.run([film()])
    child = decoder.process_id
    assert child is not None
    os.kill(child, signal.SIGKILL)
    with pytest.raises(DecoderFailed) as refused:
        decoder.run([film()])
    assert refused.value.code == "decoder-failed"
    assert decoder.run([film()]).decodes


def test_a_child_that_hangs_is_ended() -> None:
    decoder = DecodeTrial(patience_s=0.3)
    try:
        # The first start takes longer than that.
        patient, decoder._patience_ms = decoder._patience_ms, 60_000
        decoder.run([film()])
        decoder._patience_ms = patient
        child = decoder.process_id
        assert child is not None
        os.kill(child, signal.SIGSTOP)
        with pytest.raises(DecoderFailed, match="hung"):
            decoder.run([film()])
        assert decoder.process_id is None
    finally:
        decoder.close()


def test_what_goes_wrong_while_a_piece_is_made_ends_the_child_and_is_heard(decoder: DecodeTrial) -> None:
    def torn() -> Iterator[bytes]:
        yield film()[:5000]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        decoder.run(torn())
    assert decoder.process_id is None
    assert decoder.run([film()]).decodes


def test_a_machine_that_starts_no_process_says_so(decoder: DecodeTrial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(DecoderUnavailable) as refused:
        decoder.run([b"x"])
    assert refused.value.code == "decoder-unavailable"


def test_the_child_has_no_environment_no_file_and_no_core(decoder: DecodeTrial) -> None:
    decoder.run([film()])
    here = Path("/proc") / str(decoder.process_id)
    assert (here / "environ").exists()
    limits = (here / "limits").read_text()
    rows = {line[:25].strip(): line[25:].split()[:2] for line in limits.splitlines()}
    assert rows["Max open files"] == ["3", "3"]
    assert rows["Max file size"] == ["0", "0"]
    assert rows["Max core file size"] == ["0", "0"]


def test_an_answer_has_room_for_four_numbers_alone() -> None:
    tried = Tried(is_media=True, pictures=3, sounds=2, refused=1)
    assert read_answer(write_answer(tried)) == tried
    assert len(write_answer(tried)) == ANSWER == 13
    for nonsense in (b"", b"\x02" + bytes(12), bytes(14)):
        with pytest.raises(TrialSpeaksNonsense):
            read_answer(nonsense)


def test_a_film_is_read_to_its_end_even_where_its_decoder_gave_up() -> None:
    read, write = os.pipe()
    try:
        for piece in (b"no film at all", b"", b"the next", b""):
            os.write(write, LENGTH.pack(len(piece)) + piece)
        incoming = Incoming(read)
        assert incoming.waits
        assert incoming.read(3) == b"no "
        incoming.drain()
        assert incoming.read(10) == b""
        assert incoming.waits
        assert incoming.read(100) == b"the next"
        incoming.drain()
        os.write(write, b"\0\0")
        os.close(write)
        write = -1
        with pytest.raises(EOFError):
            assert incoming.waits
    finally:
        os.close(read)
        if write >= 0:
            os.close(write)


def test_what_a_film_is_is_not_guessed_from_its_bytes() -> None:
    elementary = bytes.fromhex("0000016742c00ada7a1000000300100000030320f1226a00000168ce0fc80000016588843a2780")
    assert decode(io.BytesIO(elementary), "h264").decodes
    assert not decode(io.BytesIO(elementary)).is_media
