"""What a crash, a lost disk or a lost key leaves of a recording, and that the camera goes on."""

from dataclasses import replace
from datetime import timedelta

import pytest

from archive.recorder.standing import micros
from archive.segments.rules import Span, State
from tests.given.encoded import encoded
from tests.given.footage import House
from tests.given.fragmented import fragments_of
from tests.given.tampering import past_the_guards

_ALL = Span(0, 2**60)


def test_a_spool_that_is_not_there_recovers_nothing_and_takes_no_row_back(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    house.spool.rename(house.folder / "unmounted")
    with pytest.raises(FileNotFoundError):
        house.recovery.recover()
    (house.folder / "unmounted").rename(house.spool)
    assert len(house.recovery.recover().closed) == 1
    assert len(house.shown()) > 5


def test_the_row_of_a_file_that_is_missing_stays_as_evidence_and_the_camera_goes_on(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    for path in house.spool.iterdir():
        path.unlink()
    house.revive()
    [row] = house.rows()
    assert (row.state, row.size_bytes) == (State.STORED, 0)
    house.record(3)
    assert len(house.rows()) == 2


def test_a_growing_file_whose_key_is_gone_does_not_stop_the_camera_for_good(house: House) -> None:
    house.opt_in()
    house.record(3, close=False)
    [key] = house.keyring.bucket_keys()
    house.keyring.destroy_bucket_keys([key])
    house.keys.evict([row.id for row in house.rows()])
    report = house.revive()
    assert len(report.recovered.closed) == 1
    assert not report.recovered.failed
    house.clock.forward(timedelta(hours=1))  # another bucket
    house.record(3)
    assert [row.state for row in house.rows()] == [State.STORED, State.STORED]


def test_stamps_that_jump_do_not_make_a_recovered_file_readable_for_longer(house: House) -> None:
    """A rebuilt index knows the camera's own stamps only; a camera may send any."""
    house.opt_in()
    stream = encoded(4.0, gop=25)
    jumping = [
        replace(one, dts=one.dts + 90_000 * 7200, pts=one.pts + 90_000 * 7200) if at >= 50 else one
        for at, one in enumerate(stream.packets)
    ]
    shift_us = micros(house.clock.now()) - stream.packets[0].arrived_at_us + 1_000_000
    moved = [
        replace(one, arrived_at_us=one.arrived_at_us + shift_us, captured_at_us=one.captured_at_us + shift_us)
        for one in jumping
    ]
    fed = fragments_of(stream.epoch(1), moved)
    house.recorder.begin("run-a", stream.epoch(1))
    house.take(fed)
    house.clock.forward(timedelta(seconds=1))
    now_us = micros(house.clock.now())
    house.revive()
    [row] = house.rows()
    assert row.ends_us is not None
    assert row.ends_us <= now_us
    assert max(house.shown()) <= now_us
    house.record(3)
    assert len(house.rows()) == 2
    assert house.is_in_order


def test_one_cameras_damage_keeps_no_other_from_being_accounted_for(house: House) -> None:
    house.opt_in()
    with past_the_guards(house.db) as run:
        run("UPDATE consent_entry SET answer = 'withdrawn'")
        run("UPDATE consent_entry SET answer = 'given', number = 7")
        run("UPDATE consent_head SET active_entry_id = ?", house.camera.camera_id.hex)
    report = house.revive()
    assert list(report.failed_cameras) == [house.camera.camera_id]


def test_what_the_start_could_not_close_is_closed_before_the_camera_sends_anything(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.opt_in()
    house.record(3, close=False)
    house.kill()
    house.join()
    with monkeypatch.context() as patched:
        patched.setattr("archive.recorder.recovery.recover", _failing)
        assert list(house.start().recovered.failed.values()) == ["OSError"]
        house.recorder.tidy()
        assert [row.state for row in house.rows()] == [State.WRITING]
        assert house.recorder.tally.failures == 1
    house.recorder.tidy()
    assert [row.state for row in house.rows()] == [State.STORED]
    assert house.recorder.is_tidy


def _failing(*_: object) -> None:
    raise OSError(5, "input/output error")
