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
from tests.given.consent import PERSON, Consent
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
    WordingIsUnknown,
)
from vms_privacy.consent.ledger import CameraOwners
from vms_privacy.consent.rules import Answer, ConsentKind, LegalBasis, Method
from vms_privacy.consent.wording import WORDINGS, current
from vms_privacy.db import Database
from vms_privacy.ids import CameraId

VIDEO, LIVE, AUDIO = ConsentKind.VIDEO_RECORDING, ConsentKind.LIVE_AUDIO, ConsentKind.RECORDED_AUDIO
MINUTE = timedelta(minutes=1)


@pytest.fixture
def consent(db: Database, clock: HandClock, tmp_path: Path) -> Consent:
    return Consent(db, clock, tmp_path)


def test_a_new_camera_is_neither_recorded_nor_heard(consent: Consent) -> None:
    assert consent.permit() is None
    assert not consent.live_audio()
    assert consent.stopped_at() is None
    assert consent.opted_in() == []


def test_an_opt_in_gives_a_permit_that_names_it(consent: Consent, clock: HandClock) -> None:
    entry_id = consent.give()
    clock.forward(MINUTE)
    found = consent.permit()
    assert found is not None
    assert (found.camera_id, found.entry_id, found.given_at) == (GATE, entry_id, NOON)
    assert (found.audio, found.ask_again_at) == (False, clock.now() + timedelta(seconds=30))
    assert consent.permit(DOOR) is None


def test_an_entry_keeps_who_why_on_what_basis_and_which_text(consent: Consent) -> None:
    consent.give(until=NOON + MINUTE)
    (entry,) = consent.history()
    assert (entry.operator_id, entry.camera_id, entry.actor, entry.kind) == (NORTH, GATE, PERSON, VIDEO)
    assert (entry.answer, entry.number, entry.from_at, entry.until_at) == (Answer.GIVEN, 1, NOON, NOON + MINUTE)
    assert (entry.purpose, entry.legal_basis) == ("burglary at the north gate", LegalBasis.LEGITIMATE_INTERESTS)
    assert (entry.wording_version, entry.method) == (current(VIDEO).version, Method.API)
    assert entry.sign_confirmed_at == NOON - timedelta(hours=1)


def test_an_opt_in_with_an_end_ends(consent: Consent, clock: HandClock) -> None:
    consent.give(until=NOON + timedelta(seconds=10))
    found = consent.permit()
    assert found is not None
    assert found.ask_again_at == NOON + timedelta(seconds=10)
    clock.forward(timedelta(seconds=10))
    assert consent.permit() is None
    assert consent.stopped_at() == NOON + timedelta(seconds=10)
    assert consent.opted_in() == [GATE]
    assert consent.give() is not None


def test_in_doubt_about_the_time_an_opt_in_ends_early(consent: Consent, clock: HandClock) -> None:
    consent.give(until=NOON + timedelta(hours=1))
    clock.doubt = timedelta(hours=2)
    assert consent.permit() is None


def test_sound_is_switched_on_apart_live_and_recorded(consent: Consent, clock: HandClock) -> None:
    consent.give(LIVE)
    assert consent.permit() is None
    assert consent.live_audio()
    consent.give()
    clock.forward(MINUTE)
    consent.give(AUDIO)
    found = consent.permit()
    assert found is not None
    assert (found.given_at, found.audio_given_at, found.audio) == (NOON, NOON + MINUTE, True)
    assert consent.take_back(LIVE) == (LIVE,)
    assert not consent.live_audio()
    assert consent.take_back(AUDIO) == (AUDIO,)
    found = consent.permit()
    assert found is not None
    assert not found.audio


def test_recorded_sound_of_an_ended_opt_in_does_not_come_back_by_itself(consent: Consent, clock: HandClock) -> None:
    consent.give(until=NOON + MINUTE)
    consent.give(AUDIO)
    clock.forward(MINUTE)
    consent.give()
    found = consent.permit()
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
    consent: Consent, asked: Asked, refusal: type[ConsentRefusal]
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
    with pytest.raises(ConsentRefusal) as refused, consent.db.writing() as session:
        consent.ledger.opt_in(session, **{**whole, **asked})  # type: ignore[arg-type]
    assert type(refused.value) is refusal
    assert consent.history() == consent.history(DOOR) == []
    assert consent.permit() is None
    with consent.db.writing() as session:
        consent.ledger.opt_in(session, **whole)  # type: ignore[arg-type]


def test_the_same_thing_is_not_switched_on_twice(consent: Consent) -> None:
    consent.give()
    with pytest.raises(AlreadyOptedIn):
        consent.give()


def test_every_act_and_every_refusal_is_in_the_audit(consent: Consent) -> None:
    entry_id = consent.give()
    consent.give(AUDIO)
    consent.take_back()
    consent.ledger.note_refused(NotOptedIn("no"), Tag.OPT_IN_WITHDRAWN, PERSON, NORTH, GATE)
    with consent.db.reading() as session:
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


def test_listeners_hear_of_every_act_after_its_commit_and_of_no_other(consent: Consent) -> None:
    heard: list[tuple[CameraId, bool]] = []
    consent.ledger.on_change(lambda camera_id: heard.append((camera_id, consent.permit() is not None)))
    consent.give()
    with pytest.raises(AlreadyOptedIn):
        consent.give()
    consent.take_back()
    assert heard == [(GATE, True), (GATE, False)]


def test_a_listener_that_fails_is_counted_and_silences_no_other(consent: Consent) -> None:
    heard: list[CameraId] = []

    def deaf(camera_id: CameraId) -> None:
        raise RuntimeError(camera_id)

    consent.ledger.on_change(deaf)
    consent.ledger.on_change(heard.append)
    consent.give()
    assert heard == [GATE]
    assert consent.ledger.listener_failures == 1
    assert consent.permit() is not None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent_head SET active_entry_id = NULL",
        "DELETE FROM consent_head",
        "UPDATE consent_head SET active_entry_id = '00000000000000000000000000000099'",
    ],
)
def test_a_ledger_whose_head_was_changed_records_nothing(consent: Consent, statement: str) -> None:
    consent.give()
    Intruder(consent.db).run(statement)
    with pytest.raises(LedgerDisagrees):
        consent.permit()


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
