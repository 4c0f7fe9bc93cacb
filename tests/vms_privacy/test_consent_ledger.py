"""SF-6, SF-7, SR-8: recording is an act of a person of the operator, and one call takes it back."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from auth.resources.store import ResourceStore
from tests.given.audit import DOOR, GATE, NORTH, SOUTH, Intruder
from tests.given.clock import NOON, HandClock
from tests.given.consent import PERSON, Cameras, OwnedBy, make_ledger, opt_in
from vms_privacy.audit.events import Tag
from vms_privacy.audit.tables import EventRow
from vms_privacy.consent.errors import (
    AlreadyOptedIn,
    ConsentRefusal,
    LedgerDisagrees,
    NoSuchCamera,
    NotOptedIn,
    OptInEndsBeforeItBegins,
    OptInIsNeverImported,
    OptInIsTheOperators,
    OptInNeedsAPerson,
    PurposeIsBlank,
    PurposeIsUnfit,
    RecordedAudioNeedsRecording,
    SignIsInTheFuture,
    SignIsNotConfirmed,
    WithdrawalNeedsSomebody,
    WordingIsUnknown,
)
from vms_privacy.consent.ledger import CameraOwners, ConsentLedger
from vms_privacy.consent.rules import Answer, ConsentKind, LegalBasis, Method, RecordingPermit
from vms_privacy.consent.wording import WORDINGS, current
from vms_privacy.db import Database
from vms_privacy.ids import CameraId
from vms_privacy.journal.journal import Journal, JournalUnavailable, read_journal
from vms_privacy.journal.rules import JournalKind

VIDEO, LIVE, AUDIO = ConsentKind.VIDEO_RECORDING, ConsentKind.LIVE_AUDIO, ConsentKind.RECORDED_AUDIO
MINUTE = timedelta(minutes=1)


@pytest.fixture
def cameras() -> Cameras:
    cameras = Cameras()
    cameras.add(GATE, NORTH)
    cameras.add(DOOR, SOUTH)
    return cameras


@pytest.fixture
def ledger(db: Database, clock: HandClock, tmp_path: Path, cameras: Cameras) -> ConsentLedger:
    return make_ledger(db, clock, tmp_path, cameras)


def give(
    ledger: ConsentLedger, db: Database, clock: HandClock, kind: ConsentKind = VIDEO, until: datetime | None = None
) -> UUID:
    with db.writing() as session:
        return opt_in(ledger, session, clock, NORTH, GATE, kind, until)


def take_back(ledger: ConsentLedger, db: Database, kind: ConsentKind = VIDEO) -> tuple[ConsentKind, ...]:
    with db.writing() as session:
        return ledger.withdraw(session, PERSON, NORTH, GATE, kind, "no-longer-needed").kinds


def permit(ledger: ConsentLedger, db: Database, camera_id: CameraId = GATE) -> RecordingPermit | None:
    with db.reading() as session:
        return ledger.permit(session, camera_id)


def test_a_new_camera_is_neither_recorded_nor_heard(ledger: ConsentLedger, db: Database) -> None:
    with db.reading() as session:
        assert ledger.permit(session, GATE) is None
        assert not ledger.live_audio(session, GATE)
        assert ledger.stopped_at(session, GATE) is None
        assert ledger.opted_in(session) == []


def test_an_opt_in_gives_a_permit_that_names_it(ledger: ConsentLedger, db: Database, clock: HandClock) -> None:
    entry_id = give(ledger, db, clock)
    clock.forward(MINUTE)
    found = permit(ledger, db)
    assert found is not None
    assert (found.camera_id, found.entry_id, found.given_at) == (GATE, entry_id, NOON)
    assert (found.audio, found.ask_again_at) == (False, clock.now() + timedelta(seconds=30))
    assert permit(ledger, db, DOOR) is None


def test_an_entry_keeps_who_why_on_what_basis_and_which_text(
    ledger: ConsentLedger, db: Database, clock: HandClock
) -> None:
    give(ledger, db, clock, until=NOON + MINUTE)
    with db.reading() as session:
        (entry,) = ledger.history(session, GATE)
    assert (entry.operator_id, entry.camera_id, entry.actor, entry.kind) == (NORTH, GATE, PERSON, VIDEO)
    assert (entry.answer, entry.number, entry.from_at, entry.until_at) == (Answer.GIVEN, 1, NOON, NOON + MINUTE)
    assert (entry.purpose, entry.legal_basis) == ("burglary at the north gate", LegalBasis.LEGITIMATE_INTERESTS)
    assert (entry.wording_version, entry.method) == (current(VIDEO).version, Method.API)
    assert entry.sign_confirmed_at == NOON - timedelta(hours=1)


def test_a_withdrawal_says_from_which_moment_and_ends_the_permit(
    ledger: ConsentLedger, db: Database, clock: HandClock
) -> None:
    give(ledger, db, clock)
    clock.forward(MINUTE)
    with db.writing() as session:
        withdrawn = ledger.withdraw(session, PERSON, NORTH, GATE, VIDEO, "no-longer-needed")
    clock.forward(MINUTE)
    assert (withdrawn.withdrawn_at, withdrawn.kinds) == (NOON + MINUTE, (VIDEO,))
    assert permit(ledger, db) is None
    with db.reading() as session:
        assert ledger.stopped_at(session, GATE) == NOON + MINUTE
        assert [entry.answer for entry in ledger.history(session, GATE)] == [Answer.GIVEN, Answer.WITHDRAWN]
        assert ledger.opted_in(session) == []


def test_a_new_opt_in_after_a_withdrawal_begins_anew(ledger: ConsentLedger, db: Database, clock: HandClock) -> None:
    give(ledger, db, clock)
    take_back(ledger, db)
    clock.forward(MINUTE)
    entry_id = give(ledger, db, clock)
    found = permit(ledger, db)
    assert found is not None
    assert (found.entry_id, found.given_at) == (entry_id, NOON + MINUTE)
    with db.reading() as session:
        assert ledger.stopped_at(session, GATE) is None
        assert [entry.number for entry in ledger.history(session, GATE)] == [1, 2, 3]


def test_an_opt_in_with_an_end_ends(ledger: ConsentLedger, db: Database, clock: HandClock) -> None:
    give(ledger, db, clock, until=NOON + timedelta(seconds=10))
    found = permit(ledger, db)
    assert found is not None
    assert found.ask_again_at == NOON + timedelta(seconds=10)
    clock.forward(timedelta(seconds=10))
    assert permit(ledger, db) is None
    with db.reading() as session:
        assert ledger.stopped_at(session, GATE) == NOON + timedelta(seconds=10)
        assert ledger.opted_in(session) == [GATE]
    assert give(ledger, db, clock) is not None


def test_in_doubt_about_the_time_an_opt_in_ends_early(ledger: ConsentLedger, db: Database, clock: HandClock) -> None:
    give(ledger, db, clock, until=NOON + timedelta(hours=1))
    clock.doubt = timedelta(hours=2)
    assert permit(ledger, db) is None


def test_sound_is_switched_on_apart_live_and_recorded(ledger: ConsentLedger, db: Database, clock: HandClock) -> None:
    give(ledger, db, clock, LIVE)
    assert permit(ledger, db) is None
    with db.reading() as session:
        assert ledger.live_audio(session, GATE)
    give(ledger, db, clock)
    clock.forward(MINUTE)
    give(ledger, db, clock, AUDIO)
    found = permit(ledger, db)
    assert found is not None
    assert (found.given_at, found.audio_given_at, found.audio) == (NOON, NOON + MINUTE, True)
    assert take_back(ledger, db, LIVE) == (LIVE,)
    with db.reading() as session:
        assert not ledger.live_audio(session, GATE)
    assert take_back(ledger, db, AUDIO) == (AUDIO,)
    found = permit(ledger, db)
    assert found is not None
    assert not found.audio


def test_recorded_sound_ends_with_the_recording_and_does_not_come_back_by_itself(
    ledger: ConsentLedger, db: Database, clock: HandClock
) -> None:
    give(ledger, db, clock)
    give(ledger, db, clock, AUDIO)
    assert take_back(ledger, db) == (VIDEO, AUDIO)
    clock.forward(MINUTE)
    give(ledger, db, clock)
    found = permit(ledger, db)
    assert found is not None
    assert not found.audio


def test_recorded_sound_of_an_ended_opt_in_does_not_come_back_by_itself(
    ledger: ConsentLedger, db: Database, clock: HandClock
) -> None:
    give(ledger, db, clock, until=NOON + MINUTE)
    give(ledger, db, clock, AUDIO)
    clock.forward(MINUTE)
    give(ledger, db, clock)
    found = permit(ledger, db)
    assert found is not None
    assert not found.audio


Asked = dict[str, object]


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ({"asker_label": f"platform-admin:{UUID(int=1)}"}, OptInIsTheOperators),
        ({"asker_label": "platform-admin"}, OptInIsTheOperators),
        ({"asker_label": "worker"}, OptInNeedsAPerson),
        ({"asker_label": "nobody"}, OptInNeedsAPerson),
        ({"asker_label": "person:"}, OptInNeedsAPerson),
        ({"asker_label": f"{PERSON}\n"}, OptInNeedsAPerson),
        ({"asker_label": ""}, OptInNeedsAPerson),
        ({"method": Method.IMPORT}, OptInIsNeverImported),
        ({"method": Method.TEMPLATE}, OptInIsNeverImported),
        ({"method": Method.CONFIGURATION}, OptInIsNeverImported),
        ({"operator_id": SOUTH}, NoSuchCamera),
        ({"camera_id": DOOR}, NoSuchCamera),
        ({"camera_id": CameraId(UUID(int=99))}, NoSuchCamera),
        ({"purpose": ""}, PurposeIsBlank),
        ({"purpose": " \t "}, PurposeIsBlank),
        ({"purpose": "x" * 201}, PurposeIsUnfit),
        ({"purpose": "two\nlines"}, PurposeIsUnfit),
        ({"sign_confirmed_at": None}, SignIsNotConfirmed),
        ({"sign_confirmed_at": NOON + timedelta(microseconds=1)}, SignIsInTheFuture),
        ({"wording_version": "v1"}, WordingIsUnknown),
        ({"wording_version": current(LIVE).version}, WordingIsUnknown),
        ({"until": NOON}, OptInEndsBeforeItBegins),
        ({"until": datetime(2020, 1, 1, tzinfo=UTC)}, OptInEndsBeforeItBegins),
        ({"kind": AUDIO, "wording_version": current(AUDIO).version}, RecordedAudioNeedsRecording),
    ],
)
def test_what_is_not_an_operators_whole_and_present_act_is_refused(
    ledger: ConsentLedger, db: Database, asked: Asked, refusal: type[ConsentRefusal]
) -> None:
    whole: Asked = {
        "asker_label": PERSON,
        "operator_id": NORTH,
        "camera_id": GATE,
        "kind": VIDEO,
        "purpose": "burglary",
        "legal_basis": LegalBasis.CONSENT,
        "sign_confirmed_at": NOON,
        "wording_version": current(VIDEO).version,
        "method": Method.CONSOLE,
    }
    with pytest.raises(ConsentRefusal) as refused, db.writing() as session:
        ledger.opt_in(session, **{**whole, **asked})  # type: ignore[arg-type]
    assert type(refused.value) is refusal
    with db.reading() as session:
        assert ledger.history(session, GATE) == ledger.history(session, DOOR) == []
        assert ledger.permit(session, GATE) is None
    with db.writing() as session:
        ledger.opt_in(session, **whole)  # type: ignore[arg-type]


def test_the_same_thing_is_not_switched_on_twice(ledger: ConsentLedger, db: Database, clock: HandClock) -> None:
    give(ledger, db, clock)
    with pytest.raises(AlreadyOptedIn):
        give(ledger, db, clock)


@pytest.mark.parametrize("kind", list(ConsentKind))
def test_what_is_not_on_cannot_be_withdrawn(ledger: ConsentLedger, db: Database, kind: ConsentKind) -> None:
    with pytest.raises(NotOptedIn):
        take_back(ledger, db, kind)


def test_a_withdrawal_twice_says_so(ledger: ConsentLedger, db: Database, clock: HandClock) -> None:
    give(ledger, db, clock)
    take_back(ledger, db)
    with pytest.raises(NotOptedIn):
        take_back(ledger, db)


@pytest.mark.parametrize("actor", ["", " ", "nobody"])
def test_nobody_cannot_withdraw(ledger: ConsentLedger, db: Database, clock: HandClock, actor: str) -> None:
    give(ledger, db, clock)
    with pytest.raises(WithdrawalNeedsSomebody), db.writing() as session:
        ledger.withdraw(session, actor, NORTH, GATE, VIDEO)


def test_another_operator_cannot_withdraw_and_learns_nothing(
    ledger: ConsentLedger, db: Database, clock: HandClock
) -> None:
    give(ledger, db, clock)
    with pytest.raises(NoSuchCamera) as theirs, db.writing() as session:
        ledger.withdraw(session, PERSON, SOUTH, GATE, VIDEO)
    with pytest.raises(NoSuchCamera) as missing, db.writing() as session:
        ledger.withdraw(session, PERSON, SOUTH, CameraId(UUID(int=99)), VIDEO)
    assert (str(theirs.value), theirs.value.facts) == (str(missing.value), missing.value.facts)


def test_a_removed_camera_can_be_withdrawn_and_not_opted_in(
    ledger: ConsentLedger, db: Database, clock: HandClock, cameras: Cameras
) -> None:
    give(ledger, db, clock)
    cameras.owners[GATE] = OwnedBy(NORTH, removed_at=NOON)
    assert take_back(ledger, db) == (VIDEO,)
    with pytest.raises(NoSuchCamera):
        give(ledger, db, clock)


def test_every_act_and_every_refusal_is_in_the_audit(ledger: ConsentLedger, db: Database, clock: HandClock) -> None:
    entry_id = give(ledger, db, clock)
    give(ledger, db, clock, AUDIO)
    take_back(ledger, db)
    ledger.note_refused(NotOptedIn("no"), Tag.OPT_IN_WITHDRAWN, PERSON, NORTH, GATE)
    with db.reading() as session:
        rows = session.scalars(select(EventRow).order_by(EventRow.number)).all()
    assert {(row.actor, row.operator_id, row.camera_id) for row in rows} == {(PERSON, NORTH, GATE)}
    assert [(Tag(row.tag), row.outcome, row.reason) for row in rows] == [
        (Tag.OPTED_IN, "done", ""),
        (Tag.OPTED_IN, "done", ""),
        (Tag.OPT_IN_WITHDRAWN, "done", "no-longer-needed"),
        (Tag.OPT_IN_WITHDRAWN, "done", "recording-withdrawn"),
        (Tag.OPT_IN_WITHDRAWN, "refused", "not-opted-in"),
    ]
    assert json.loads(rows[0].detail) == {
        "kind": "video-recording",
        "entry": str(entry_id),
        "legal_basis": "legitimate-interests",
    }
    assert not any("burglary" in row.detail for row in rows)


def test_a_withdrawal_is_in_the_journal_before_it_is_answered(
    ledger: ConsentLedger, db: Database, clock: HandClock, tmp_path: Path
) -> None:
    give(ledger, db, clock)
    give(ledger, db, clock, AUDIO)
    with db.writing() as session:
        ledger.withdraw(session, PERSON, NORTH, GATE, VIDEO)
        journalled = list(read_journal(tmp_path / "custody.journal"))
    assert [entry.kind for entry in journalled] == [JournalKind.WITHDRAWAL, JournalKind.WITHDRAWAL]
    assert [entry.facts["kind"] for entry in journalled] == ["video-recording", "recorded-audio"]
    assert journalled[0].facts["camera"] == str(GATE)
    assert journalled[0].facts["withdrawn_at"] == NOON.isoformat()


def test_a_withdrawal_that_cannot_be_journalled_does_not_take_place(
    db: Database, clock: HandClock, tmp_path: Path, cameras: Cameras
) -> None:
    journal = Journal(tmp_path / "journal", clock)
    ledger = make_ledger(db, clock, tmp_path, cameras, journal)
    give(ledger, db, clock)
    journal.close()
    with pytest.raises(JournalUnavailable):
        take_back(ledger, db)
    assert permit(ledger, db) is not None


def test_listeners_hear_of_every_act_after_its_commit_and_of_no_other(
    ledger: ConsentLedger, db: Database, clock: HandClock
) -> None:
    heard: list[tuple[CameraId, bool]] = []
    ledger.on_change(lambda camera_id: heard.append((camera_id, permit(ledger, db) is not None)))
    give(ledger, db, clock)
    with pytest.raises(AlreadyOptedIn):
        give(ledger, db, clock)
    take_back(ledger, db)
    assert heard == [(GATE, True), (GATE, False)]


def test_a_listener_that_fails_is_counted_and_silences_no_other(
    ledger: ConsentLedger, db: Database, clock: HandClock
) -> None:
    heard: list[CameraId] = []

    def deaf(camera_id: CameraId) -> None:
        raise RuntimeError(camera_id)

    ledger.on_change(deaf)
    ledger.on_change(heard.append)
    give(ledger, db, clock)
    assert heard == [GATE]
    assert ledger.listener_failures == 1
    assert permit(ledger, db) is not None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent_head SET active_entry_id = NULL",
        "DELETE FROM consent_head",
        "UPDATE consent_head SET active_entry_id = '00000000000000000000000000000099'",
    ],
)
def test_a_ledger_whose_head_was_changed_records_nothing(
    ledger: ConsentLedger, db: Database, clock: HandClock, statement: str
) -> None:
    give(ledger, db, clock)
    Intruder(db).run(statement)
    with pytest.raises(LedgerDisagrees):
        permit(ledger, db)


def test_the_registry_of_resources_can_say_whose_a_camera_is() -> None:
    registry: Callable[[], CameraOwners] = ResourceStore
    assert registry() is not None


def test_every_wording_ever_shown_keeps_its_text() -> None:
    # A new text is added behind; changing one of these would make old entries name a text nobody has.
    assert [(wording.kind, wording.version[:16]) for wording in WORDINGS] == [
        (VIDEO, "21a6b4e1c25d96d4"),
        (LIVE, "c0e031ee8adebd10"),
        (AUDIO, "6e49734a4a7cc282"),
    ]
    assert {current(kind).kind for kind in ConsentKind} == set(ConsentKind)
