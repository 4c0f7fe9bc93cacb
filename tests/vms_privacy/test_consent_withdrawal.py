"""SR-8: what one call switched on one call switches off, from an exact moment, and it is written down twice."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from tests.given.audit import GATE, NORTH, SOUTH
from tests.given.clock import NOON, HandClock
from tests.given.consent import PERSON, Consent, OwnedBy
from vms_privacy.consent.errors import NoSuchCamera, NotOptedIn, WithdrawalNeedsSomebody
from vms_privacy.consent.rules import Answer, ConsentKind
from vms_privacy.db import Database
from vms_privacy.ids import CameraId
from vms_privacy.journal.journal import Journal, JournalUnavailable, read_journal
from vms_privacy.journal.rules import JournalKind

VIDEO, AUDIO = ConsentKind.VIDEO_RECORDING, ConsentKind.RECORDED_AUDIO
MINUTE = timedelta(minutes=1)


@pytest.fixture
def consent(db: Database, clock: HandClock, tmp_path: Path) -> Consent:
    return Consent(db, clock, tmp_path)


def test_a_withdrawal_says_from_which_moment_and_ends_the_permit(consent: Consent, clock: HandClock) -> None:
    consent.give()
    clock.forward(MINUTE)
    with consent.db.writing() as session:
        withdrawn = consent.ledger.withdraw(session, PERSON, NORTH, GATE, VIDEO, "no-longer-needed")
    clock.forward(MINUTE)
    assert (withdrawn.withdrawn_at, withdrawn.kinds) == (NOON + MINUTE, (VIDEO,))
    assert consent.permit() is None
    assert consent.stopped_at() == NOON + MINUTE
    assert [entry.answer for entry in consent.history()] == [Answer.GIVEN, Answer.WITHDRAWN]
    assert consent.opted_in() == []


def test_a_new_opt_in_after_a_withdrawal_begins_anew(consent: Consent, clock: HandClock) -> None:
    consent.give()
    consent.take_back()
    clock.forward(MINUTE)
    entry_id = consent.give()
    found = consent.permit()
    assert found is not None
    assert (found.entry_id, found.given_at) == (entry_id, NOON + MINUTE)
    assert consent.stopped_at() is None
    assert [entry.number for entry in consent.history()] == [1, 2, 3]


def test_recorded_sound_ends_with_the_recording_and_does_not_come_back_by_itself(
    consent: Consent, clock: HandClock
) -> None:
    consent.give()
    consent.give(AUDIO)
    assert consent.take_back() == (VIDEO, AUDIO)
    clock.forward(MINUTE)
    consent.give()
    found = consent.permit()
    assert found is not None
    assert not found.audio


@pytest.mark.parametrize("kind", list(ConsentKind))
def test_what_is_not_on_cannot_be_withdrawn(consent: Consent, kind: ConsentKind) -> None:
    with pytest.raises(NotOptedIn):
        consent.take_back(kind)


def test_a_withdrawal_twice_says_so(consent: Consent) -> None:
    consent.give()
    consent.take_back()
    with pytest.raises(NotOptedIn):
        consent.take_back()


@pytest.mark.parametrize("actor", ["", " ", "nobody"])
def test_nobody_cannot_withdraw(consent: Consent, actor: str) -> None:
    consent.give()
    with pytest.raises(WithdrawalNeedsSomebody), consent.db.writing() as session:
        consent.ledger.withdraw(session, actor, NORTH, GATE, VIDEO)


def test_another_operator_cannot_withdraw_and_learns_nothing(consent: Consent) -> None:
    consent.give()
    with pytest.raises(NoSuchCamera) as theirs, consent.db.writing() as session:
        consent.ledger.withdraw(session, PERSON, SOUTH, GATE, VIDEO)
    with pytest.raises(NoSuchCamera) as missing, consent.db.writing() as session:
        consent.ledger.withdraw(session, PERSON, SOUTH, CameraId(UUID(int=99)), VIDEO)
    assert (str(theirs.value), theirs.value.facts) == (str(missing.value), missing.value.facts)


def test_a_removed_camera_can_be_withdrawn_and_not_opted_in(consent: Consent) -> None:
    consent.give()
    consent.cameras.owners[GATE] = OwnedBy(NORTH, removed_at=NOON)
    assert consent.take_back() == (VIDEO,)
    with pytest.raises(NoSuchCamera):
        consent.give()


def test_a_withdrawal_is_in_the_journal_before_it_is_answered(consent: Consent, tmp_path: Path) -> None:
    consent.give()
    consent.give(AUDIO)
    with consent.db.writing() as session:
        consent.ledger.withdraw(session, PERSON, NORTH, GATE, VIDEO)
        journalled = list(read_journal(tmp_path / "custody.journal"))
    assert [entry.kind for entry in journalled] == [JournalKind.WITHDRAWAL, JournalKind.WITHDRAWAL]
    assert [entry.facts["kind"] for entry in journalled] == ["video-recording", "recorded-audio"]
    assert journalled[0].facts["camera"] == str(GATE)
    assert journalled[0].facts["withdrawn_at"] == NOON.isoformat()


def test_a_withdrawal_that_cannot_be_journalled_does_not_take_place(
    db: Database, clock: HandClock, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "journal", clock)
    consent = Consent(db, clock, tmp_path, journal)
    consent.give()
    journal.close()
    with pytest.raises(JournalUnavailable):
        consent.take_back()
    assert consent.permit() is not None


def test_a_permit_already_given_is_known_to_be_withdrawn_at_once(consent: Consent) -> None:
    entry_id = consent.give()
    with consent.db.reading() as session:
        assert consent.ledger.active(session) == {(GATE, ConsentKind.VIDEO_RECORDING): entry_id}
    consent.take_back()
    with consent.db.reading() as session:
        assert consent.ledger.active(session) == {}
    other_id = consent.give()
    with consent.db.reading() as session:
        assert consent.ledger.active(session) == {(GATE, ConsentKind.VIDEO_RECORDING): other_id}
    assert other_id != entry_id
