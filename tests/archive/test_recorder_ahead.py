"""The database is away: recording goes on for a minute into the segment that was registered ahead, and then stops."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from archive.check import Kind
from archive.recorder.rules import Why
from archive.recorder.standing import micros
from archive.segments import ahead
from archive.segments import store as segments
from archive.segments.ahead import Ahead
from archive.segments.rules import Span, State
from streams.media.packets import Fragment
from tests.given.failing_db import FailingDatabase, lost_connection
from tests.given.footage import House
from tests.given.full_disk import a_full_disk
from tests.given.tampering import tamper
from vms_privacy.audit.events import Tag
from vms_privacy.audit.tables import EventRow
from vms_privacy.consent.rules import ConsentKind

KEEP = timedelta(seconds=40)  # segments of ten seconds
_MINUTE_US = 60_000_000


def _registered(house: House) -> list[Ahead]:
    with house.db.reading() as session:
        return ahead.every(session)


def _begun(house: House, seconds: float = 18, *, audio: bool = False) -> list[Fragment]:
    """Opt in and begin to record; return the fragments of a stream, of which the first few are recorded."""
    house.opt_in()
    house.keep_for(KEEP)
    stream, fed = house.stream(seconds, audio=audio)
    house.recorder.begin("run-a", stream.epoch(1))
    house.take(fed[:3])
    return fed[3:]


def _away_over_a_border(house: House, failing_db: FailingDatabase) -> list[Fragment]:
    """Record while the database is away and a segment is full; it is away still."""
    left = _begun(house)
    failing_db.is_away = True
    house.take(left)
    return left


def _has_answered(failing_db: FailingDatabase) -> bool:
    return failing_db.after_commit is None


def _times(fragments: list[Fragment]) -> list[int]:
    return [one.captured_from_us for one in fragments]


def _in_order_at_last(house: House) -> bool:
    house.clock.forward(timedelta(seconds=10))
    house.recorder.tidy()
    return house.is_in_order and house.recorder.is_tidy and _registered(house) == []


def test_of_a_camera_that_is_recorded_one_segment_is_registered_ahead_and_none_once_nothing_is_open(
    house: House,
) -> None:
    house.opt_in()
    assert _registered(house) == []
    house.record(3, close=False)
    [one] = _registered(house)
    assert not (house.spool / one.blob_name).exists()
    assert house.is_in_order
    house.close()
    assert _registered(house) == []


def test_while_the_database_is_away_over_the_border_of_a_segment_nothing_is_lost(
    house: House, failing_db: FailingDatabase
) -> None:
    left = _begun(house)
    [registered] = _registered(house)
    failing_db.is_away = True
    house.take(left[:-2])
    growing = house.recorder.growing()
    assert growing is not None
    assert growing.segment_id == registered.id
    failing_db.is_away = False
    assert house.is_in_order, "nobody has told yet what has begun, and nothing is wrong"
    house.take(left[-2:-1])
    assert [row.state for row in house.rows()] == [State.STORED, State.WRITING]
    assert house.is_in_order
    house.take(left[-1:])
    house.close()
    first, second = house.rows()
    assert (second.id, second.blob_name) == (registered.id, registered.blob_name)
    assert first.ends_us == second.starts_us
    assert house.finished == [first.id, second.id]
    assert house.delivery.deliver().is_clean
    assert house.shown()[3:] == _times(left)
    assert _in_order_at_last(house)


def test_sound_is_recorded_into_what_was_registered_ahead_as_far_as_it_is_opted_in(
    house: House, failing_db: FailingDatabase
) -> None:
    house.opt_in()
    house.opt_in(ConsentKind.RECORDED_AUDIO)
    house.keep_for(KEEP)
    stream, fed = house.stream(14, audio=True)
    house.recorder.begin("run-a", stream.epoch(1))
    house.take(fed[:4])
    failing_db.is_away = True
    house.take(fed[4:])
    failing_db.is_away = False
    house.close()
    with house.db.reading() as session:
        tracks = [one.tracks for one in segments.in_span(session, house.camera.camera_id, Span(0, 2**60))]
    assert tracks == ["video+audio", "video+audio"]
    assert _in_order_at_last(house)


def test_a_database_that_stays_away_stops_recording_after_a_minute_and_the_gap_says_why(
    house: House, failing_db: FailingDatabase
) -> None:
    house.opt_in()
    house.record(2, close=False)
    stopped_at = micros(house.clock.now()) + _MINUTE_US
    failing_db.is_away = True
    stream, fed = house.stream(75)
    house.recorder.begin("run-b", stream.epoch(1))
    house.take(fed)
    assert house.recorder.growing() is None
    failing_db.is_away = False
    house.record(3)
    last_us = max(at for at in house.shown() if at <= stopped_at)
    assert stopped_at - last_us <= 1_000_000, "it went on for all of the minute"
    [gap] = [gap for gap in house.gaps() if gap[2] == Why.DATABASE_REFUSED]
    assert abs(gap[0] - stopped_at) <= 1_000_000
    assert gap[1] == house.rows()[-1].starts_us
    assert _in_order_at_last(house)


def test_a_camera_that_is_gone_when_the_database_comes_back_is_told_of_all_the_same(
    house: House, failing_db: FailingDatabase
) -> None:
    left = _away_over_a_border(house, failing_db)
    house.close()
    house.recorder.tidy()
    assert not house.recorder.is_tidy
    failing_db.is_away = False
    house.recorder.tidy()
    assert [row.state for row in house.rows()] == [State.STORED, State.STORED]
    assert house.gaps()[-1] == (left[-1].captured_until_us, None, Why.CAMERA_LOST)
    assert house.shown()[3:] == _times(left)
    assert _in_order_at_last(house)


def test_a_camera_that_comes_back_while_the_database_is_away_goes_on_in_what_was_registered(
    house: House, failing_db: FailingDatabase
) -> None:
    left = _begun(house, 9)
    stream, _ = house.stream(9)
    failing_db.is_away = True
    house.take(left[:6])
    house.close()
    house.recorder.tidy()
    house.recorder.begin("run-b", stream.epoch(1))
    house.take(left[9:])
    assert house.recorder.growing() is not None
    failing_db.is_away = False
    house.close()
    house.recorder.tidy()
    first, second = house.rows()
    assert (first.run, second.run) == ("run-a", "run-b")
    assert (first.ends_us, second.starts_us, Why.CAMERA_LOST) in house.gaps()
    assert house.shown()[3:] == _times(left[:6] + left[9:])
    assert _in_order_at_last(house)


def test_what_is_registered_and_forgotten_is_named_by_the_check(house: House) -> None:
    """Somebody has put back a row that nobody begins and nobody gives back."""
    house.opt_in()
    house.record(2, close=False)
    [one] = _registered(house)
    house.close()
    with house.db.writing() as session:
        ahead.add(session, one)
    house.clock.forward(timedelta(hours=1))
    assert house.is_in_order
    house.clock.forward(timedelta(minutes=8))
    [finding] = house.check().findings
    assert (finding.kind, finding.segment_id, finding.name) == (Kind.STUCK, one.id, one.blob_name)
    house.revive()
    assert house.is_in_order


@pytest.mark.parametrize("is_closed", [False, True])
def test_what_a_crash_left_while_the_database_was_away_is_whole_after_the_start(
    house: House, failing_db: FailingDatabase, is_closed: bool
) -> None:
    left = _away_over_a_border(house, failing_db)
    if is_closed:
        house.close()
    failing_db.is_away = False
    house.clock.forward(timedelta(seconds=5))
    report = house.revive()
    assert (len(report.recovered.closed), report.recovered.failed) == (2, {})
    assert _registered(house) == []
    assert house.shown()[3:] == _times(left)
    assert {row.run for row in house.rows()} == {"run-a"}
    assert _in_order_at_last(house)


def test_what_was_registered_and_never_begun_is_given_back_by_the_start(house: House) -> None:
    _begun(house)
    assert len(_registered(house)) == 1
    house.revive()
    assert _registered(house) == []
    assert _in_order_at_last(house)


def test_a_file_that_began_ahead_and_cannot_be_opened_has_a_row_that_says_so(
    house: House, failing_db: FailingDatabase
) -> None:
    _away_over_a_border(house, failing_db)
    [one] = _registered_past(house, failing_db)
    path = house.spool / one.blob_name
    data = bytearray(path.read_bytes())
    data[50] ^= 1  # in the key check
    path.write_bytes(data)
    house.revive()
    _, second = house.rows()
    assert (second.id, second.ends_us, second.size_bytes) == (one.id, second.starts_us + 1, len(data))
    assert [one.split(",")[0] for one in map(str, house.check().findings)] == ["unreadable"]


def _registered_past(house: House, failing_db: FailingDatabase) -> list[Ahead]:
    failing_db.is_away = False
    return _registered(house)


def test_an_opt_in_that_ends_by_itself_ends_what_was_begun_ahead_as_well(
    house: House, failing_db: FailingDatabase
) -> None:
    ends_at = house.clock.now() + timedelta(seconds=15)
    with house.db.writing() as session:
        house.opt_in_until(session, ends_at)
    house.recorder.ask_again()
    house.keep_for(KEEP)
    stream, fed = house.stream(20)
    house.recorder.begin("run-a", stream.epoch(1))
    house.take(fed[:3])
    failing_db.is_away = True
    house.take(fed[3:])
    failing_db.is_away = False
    house.recorder.tidy()
    assert len(house.rows()) == 2
    assert house.shown() == [one.captured_from_us for one in fed if one.last_arrived_at_us < micros(ends_at)]
    assert house.gaps()[-1][1] is not None
    assert _in_order_at_last(house)


def test_what_began_before_a_withdrawal_is_kept_although_its_row_comes_after_it(
    house: House, failing_db: FailingDatabase
) -> None:
    left = _away_over_a_border(house, failing_db)
    failing_db.is_away = False
    house.clock.forward(timedelta(seconds=2))
    house.withdraw()
    assert [row.state for row in house.rows()] == [State.STORED, State.STORED]
    assert house.shown()[3:] == _times(left)
    assert _in_order_at_last(house)


def test_what_began_after_a_withdrawal_that_nobody_could_hear_of_is_not_kept(
    house: House, failing_db: FailingDatabase
) -> None:
    """P1: this node alone has lost the database; another one takes the withdrawal."""
    left = _begun(house)
    before, after = left[:10], left[10:]
    failing_db.is_away = True
    house.take(before)
    failing_db.is_away = False
    with house.db.writing() as session:
        house.ledger.withdraw(
            session, house.owner.label, house.operator_id, house.camera.camera_id, ConsentKind.VIDEO_RECORDING
        )
    withdrawn_us = micros(house.clock.now())
    failing_db.is_away = True
    house.take(after)
    [one] = _registered_past(house, failing_db)
    assert (house.spool / one.blob_name).stat().st_size > 0
    house.recorder.tidy()
    assert one.id not in {row.id for row in house.rows()}
    assert not (house.spool / one.blob_name).exists()
    assert all(row.starts_us < withdrawn_us for row in house.rows())
    assert _registered(house) == []


def test_of_what_somebody_has_taken_the_row_away_nothing_is_kept(house: House, failing_db: FailingDatabase) -> None:
    """Its wrapped key was there and nowhere else."""
    left = _begun(house)
    tamper(house.db, "DELETE FROM segment_ahead")
    failing_db.is_away = True
    house.take(left[:-4])
    assert len(list(house.spool.iterdir())) == 2
    failing_db.is_away = False
    house.take(left[-4:])
    assert [row.state for row in house.rows()] == [State.STORED]
    assert [path.name for path in house.spool.iterdir()] == [house.rows()[0].blob_name]
    assert house.recorder.tally.failures > 0
    house.record(2)
    assert _in_order_at_last(house)


def test_a_change_that_was_heard_of_counts_although_the_rest_cannot_be_asked_for(
    house: House, failing_db: FailingDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P1: a withdrawal is heard, and in that moment the database goes away."""
    left = _begun(house)
    with house.db.writing() as session:
        house.ledger.withdraw(
            session, house.owner.label, house.operator_id, house.camera.camera_id, ConsentKind.VIDEO_RECORDING
        )

    def away() -> None:
        raise lost_connection()

    monkeypatch.setattr(failing_db, "reading", away)
    house.take(left)
    monkeypatch.undo()
    assert house.recorder.growing() is None
    house.recorder.tidy()
    assert len(house.shown()) == 3
    assert _in_order_at_last(house)


def test_a_database_out_of_reach_is_asked_once_a_second_and_heard_of_again_within_one(
    house: House, failing_db: FailingDatabase
) -> None:
    left = _begun(house, 8)
    failing_db.is_away = True
    before = failing_db.refused
    house.take(left[:15])
    assert 4 <= failing_db.refused - before <= 6, "fifteen fragments of five seconds"
    failing_db.is_away = False
    house.take(left[15:])
    assert house.shown()[3:] == _times(left)
    house.withdraw()
    assert house.recorder.growing() is None
    assert _in_order_at_last(house)


def test_a_shorter_retention_reaches_what_was_registered_ahead(house: House, failing_db: FailingDatabase) -> None:
    _away_over_a_border(house, failing_db)
    failing_db.is_away = False
    shorter = timedelta(seconds=12)
    with house.db.writing() as session:
        house.retention.set(session, house.granted(), shorter, "the court asked for it in writing")
    house.close()
    assert {row.keep_us for row in house.rows()} == {shorter // timedelta(microseconds=1)}
    assert _in_order_at_last(house)


def test_a_bucket_that_is_re_keyed_keeps_what_is_registered_ahead(house: House, failing_db: FailingDatabase) -> None:
    house.opt_in()
    house.keep_for(KEEP)
    house.record(2)
    house.clock.forward(KEEP)
    stream, fed = house.stream(18)
    house.recorder.begin("run-a", stream.epoch(1))
    house.take(fed[:3])
    [before] = _registered(house)
    assert house.eraser.sweep().is_clean
    [after] = _registered(house)
    assert after.id == before.id
    assert after.bucket_key_id != before.bucket_key_id
    assert house.keyring.bucket_keys() == {after.bucket_key_id}
    failing_db.is_away = True
    house.take(fed[3:])
    failing_db.is_away = False
    house.close()
    assert house.shown() == _times(fed)
    assert _in_order_at_last(house)


def test_with_another_hour_opt_in_or_policy_another_segment_is_registered(house: House) -> None:
    house.opt_in()
    house.record(2, close=False)
    seen = [_registered(house)[0]]

    def given_anew() -> None:
        house.withdraw()
        assert _registered(house) == []
        house.opt_in()

    changes: list[Callable[[], None]] = [
        lambda: house.clock.forward(timedelta(hours=1)),
        lambda: house.keep_for(timedelta(hours=48)),
        given_anew,
    ]
    for change in changes:
        change()
        house.record(2, close=False)
        [one] = _registered(house)
        seen.append(one)
    assert len({one.id for one in seen}) == len(seen)
    assert [(one.bucket_hour - seen[0].bucket_hour, one.policy_version) for one in seen] == [
        (0, 0),
        (1, 0),
        (1, 1),
        (1, 1),
    ]
    house.close()
    assert _in_order_at_last(house)


def test_new_parameters_while_the_database_is_away_take_what_is_registered_and_the_next_ones_find_nothing(
    house: House, failing_db: FailingDatabase
) -> None:
    left = _begun(house, 8)
    failing_db.is_away = True
    stream, _ = house.stream(8)
    for number, fragments in ((2, left[:7]), (3, left[7:])):
        house.recorder.begin("run-a", stream.epoch(number))
        house.take([replace(one, epoch=number) for one in fragments])
    assert house.recorder.growing() is None
    failing_db.is_away = False
    house.record(2)
    assert [row.epoch for row in house.rows()] == [1, 2, 1]
    assert Why.DATABASE_REFUSED in {why for _, _, why in house.gaps()}
    assert _in_order_at_last(house)


@pytest.mark.parametrize("is_away_then", [False, True])
def test_a_border_at_which_the_commit_had_no_answer_loses_nothing_that_was_recorded(
    house: House, failing_db: FailingDatabase, is_away_then: bool
) -> None:
    left = _begun(house)
    failing_db.after_commit = lost_connection()
    house.take(left[:30])
    assert _has_answered(failing_db), "the border is behind us"
    failing_db.is_away = is_away_then
    house.take(left[30:])
    failing_db.is_away = False
    house.close()
    house.recorder.tidy()
    assert house.shown()[3:] == _times(left)
    assert [row.state for row in house.rows()] == [State.STORED, State.STORED]
    assert _in_order_at_last(house)


def test_a_disk_that_fills_while_the_database_is_away_leaves_what_was_whole(
    house: House, failing_db: FailingDatabase
) -> None:
    left = _away_over_a_border(house, failing_db)
    _, more = house.stream(4)
    [path] = [one for one in house.spool.iterdir() if one.name == _registered_past(house, failing_db)[0].blob_name]
    failing_db.is_away = True
    with a_full_disk(room=path.stat().st_size + 100):
        house.take(more[:1])
    assert house.recorder.growing() is None
    failing_db.is_away = False
    house.recorder.tidy()
    assert [row.state for row in house.rows()] == [State.STORED, State.STORED]
    assert house.shown()[3 : 3 + len(left)] == _times(left)
    assert _in_order_at_last(house)


def test_where_a_segment_lasts_for_less_than_a_minute_recording_stops_at_the_second_border(
    house: House, failing_db: FailingDatabase
) -> None:
    """No file is longer than a quarter of the retention, not even now."""
    left = _begun(house, 30)
    failing_db.is_away = True
    house.take(left)
    assert house.recorder.growing() is None
    failing_db.is_away = False
    house.record(2)
    lengths = [(row.ends_us or 0) - row.starts_us for row in house.rows()]
    assert max(lengths) <= KEEP // timedelta(microseconds=1) // 4
    assert Why.DATABASE_REFUSED in {why for _, _, why in house.gaps()}
    assert _in_order_at_last(house)


def test_what_was_lost_beside_the_database_is_in_no_audit_as_a_crash(house: House, failing_db: FailingDatabase) -> None:
    _away_over_a_border(house, failing_db)
    failing_db.is_away = False
    house.close()
    with house.db.reading() as session:
        tags = {row.tag for row in session.query(EventRow)}
    assert Tag.SEGMENT_RECOVERED not in tags


def test_what_lies_in_the_spool_while_the_database_is_away_is_ciphertext(
    house: House, failing_db: FailingDatabase
) -> None:
    left = _away_over_a_border(house, failing_db)
    [one] = _registered_past(house, failing_db)
    data = (house.spool / one.blob_name).read_bytes()
    assert data[:4] == b"\x89VSF"
    for told in (b"emsg", b"moof", b"run-a", str(left[0].captured_from_us).encode(), left[-1].data[100:132]):
        assert told not in data
