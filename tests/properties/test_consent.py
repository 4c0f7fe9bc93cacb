"""What is true of the ledger after any history: first of its fold, then of the ledger itself against a plain model."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import text

from tests.given.audit import DOOR, GATE, NORTH, SOUTH
from tests.given.clock import NOON, HandClock
from tests.given.consent import PERSON, Cameras, make_ledger, opt_in
from tests.given.databases import Databases, DatabaseServer
from vms_privacy.consent.errors import (
    AlreadyOptedIn,
    ConsentRefusal,
    NotOptedIn,
    OptInIsNeverImported,
    OptInIsTheOperators,
    OptInNeedsAPerson,
    RecordedAudioNeedsRecording,
)
from vms_privacy.consent.rules import (
    ASK_AGAIN_AFTER,
    BY_A_PERSON,
    Answer,
    ConsentEntry,
    ConsentKind,
    LegalBasis,
    Method,
    OptIn,
    in_force,
    judge_opt_in,
    judge_withdrawal,
    live_audio_until,
    newest,
    permit_at,
    stopped_at,
)
from vms_privacy.db import Database
from vms_privacy.ids import CameraId, ConsentEntryId

VIDEO, LIVE, AUDIO = ConsentKind.VIDEO_RECORDING, ConsentKind.LIVE_AUDIO, ConsentKind.RECORDED_AUDIO
seconds = st.integers(-300, 300).map(lambda count: NOON + timedelta(seconds=count))
lengths = st.none() | st.integers(1, 300).map(lambda count: timedelta(seconds=count))


@st.composite
def histories(draw: st.DrawFn) -> list[ConsentEntry]:
    """Entries of one camera, numbered per kind, at any times: clocks step back."""
    numbers = dict.fromkeys(ConsentKind, 0)
    out = []
    for index in range(draw(st.integers(0, 8))):
        kind = draw(st.sampled_from(ConsentKind))
        answer = draw(st.sampled_from(Answer))
        from_at = draw(seconds)
        length = draw(lengths) if answer is Answer.GIVEN else None
        numbers[kind] += 1
        out.append(
            ConsentEntry(
                ConsentEntryId(UUID(int=index + 1)),
                numbers[kind],
                GATE,
                NORTH,
                PERSON,
                kind,
                answer,
                from_at,
                until_at=from_at + length if length else None,
            )
        )
    return out


@given(seconds)
def test_silence_means_no(now: datetime) -> None:
    assert permit_at([], GATE, now) is None
    assert live_audio_until([], GATE, now) is None
    assert stopped_at([], GATE, now) is None


@given(histories(), seconds, seconds)
def test_a_withdrawal_ends_every_permit_whatever_the_clock_does(
    entries: list[ConsentEntry], withdrawn_at: datetime, now: datetime
) -> None:
    last = newest(entries, GATE, VIDEO)
    number = last.number + 1 if last else 1
    withdrawal = ConsentEntry(
        ConsentEntryId(UUID(int=99)), number, GATE, NORTH, PERSON, VIDEO, Answer.WITHDRAWN, withdrawn_at
    )
    assert permit_at([*entries, withdrawal], GATE, now) is None
    assert stopped_at([*entries, withdrawal], GATE, now) == withdrawn_at


@given(histories(), seconds)
def test_a_permit_rests_on_an_opt_in_that_covers_now(entries: list[ConsentEntry], now: datetime) -> None:
    permit = permit_at(entries, GATE, now)
    if permit is None:
        return
    (entry,) = [entry for entry in entries if entry.entry_id == permit.entry_id]
    assert (entry.kind, entry.answer, entry.from_at) == (VIDEO, Answer.GIVEN, permit.given_at)
    assert entry.from_at <= now
    assert entry.until_at is None or now < entry.until_at
    assert entry is newest(entries, GATE, VIDEO)


@given(histories(), seconds)
def test_a_permit_is_asked_again_in_time(entries: list[ConsentEntry], now: datetime) -> None:
    permit = permit_at(entries, GATE, now)
    if permit is not None:
        assert now < permit.ask_again_at <= now + ASK_AGAIN_AFTER
        just_before = permit.ask_again_at - timedelta(microseconds=1)
        later = permit_at(entries, GATE, just_before)
        assert later is not None
        assert (later.entry_id, later.audio_given_at) == (permit.entry_id, permit.audio_given_at)


@given(histories(), seconds)
def test_sound_is_recorded_only_under_its_own_opt_in_given_beside_this_one(
    entries: list[ConsentEntry], now: datetime
) -> None:
    permit = permit_at(entries, GATE, now)
    audio = in_force(entries, GATE, AUDIO, now)
    if permit is not None and permit.audio_given_at is not None:
        assert audio is not None
        assert permit.audio_given_at == audio.from_at >= permit.given_at
    if audio is None and permit is not None:
        assert not permit.audio


@given(histories(), seconds)
def test_live_sound_says_nothing_about_recording(entries: list[ConsentEntry], now: datetime) -> None:
    without = [entry for entry in entries if entry.kind is not LIVE]
    assert permit_at(entries, GATE, now) == permit_at(without, GATE, now)
    only = [entry for entry in entries if entry.kind is LIVE]
    assert live_audio_until(entries, GATE, now) == live_audio_until(only, GATE, now)


@given(histories(), st.randoms(), seconds)
def test_the_order_in_which_entries_are_read_does_not_matter(
    entries: list[ConsentEntry], random: object, now: datetime
) -> None:
    shuffled = list(entries)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert permit_at(shuffled, GATE, now) == permit_at(entries, GATE, now)


@given(histories(), seconds)
def test_the_newest_entry_of_each_kind_decides_alone(entries: list[ConsentEntry], now: datetime) -> None:
    newest_only = [entry for kind in ConsentKind if (entry := newest(entries, GATE, kind)) is not None]
    assert permit_at(newest_only, GATE, now) == permit_at(entries, GATE, now)
    assert stopped_at(newest_only, GATE, now) == stopped_at(entries, GATE, now)


@given(histories(), seconds)
def test_the_entries_of_one_camera_say_nothing_of_another(entries: list[ConsentEntry], now: datetime) -> None:
    assert permit_at(entries, DOOR, now) is None
    assert live_audio_until(entries, DOOR, now) is None


@given(histories(), seconds)
def test_a_camera_is_recorded_or_stopped_or_was_never_on_and_never_two_of_them(
    entries: list[ConsentEntry], now: datetime
) -> None:
    if permit_at(entries, GATE, now) is not None:
        assert stopped_at(entries, GATE, now) is None


@given(
    st.text(max_size=60) | st.sampled_from(["worker", "nobody", "platform-admin", f"platform-admin:{UUID(int=1)}"]),
    st.sampled_from(Method),
    histories(),
)
def test_only_a_person_by_their_own_hand_opts_in(actor: str, method: Method, entries: list[ConsentEntry]) -> None:
    asked = OptIn(actor, VIDEO, "burglary", LegalBasis.CONSENT, method, NOON, None)
    refusal = judge_opt_in(asked, entries, GATE, NOON)
    by_hand = method in BY_A_PERSON
    if not by_hand:
        assert isinstance(refusal, OptInIsNeverImported)
    elif actor.startswith("platform-admin"):
        assert isinstance(refusal, OptInIsTheOperators | OptInNeedsAPerson)
    elif not actor.startswith("person:"):
        assert isinstance(refusal, OptInNeedsAPerson)


@given(histories(), st.sampled_from(ConsentKind), st.text(min_size=1).filter(str.strip))
def test_what_was_given_last_can_be_withdrawn_and_nothing_else(
    entries: list[ConsentEntry], kind: ConsentKind, actor: str
) -> None:
    last = newest(entries, GATE, kind)
    refusal = judge_withdrawal(f"person:{actor}", kind, entries, GATE)
    assert (refusal is None) == (last is not None and last.answer is Answer.GIVEN)


class Model:
    """The ledger in the plainest words: per camera and kind, since when and until when, or nothing."""

    def __init__(self) -> None:
        self.on: dict[tuple[CameraId, ConsentKind], tuple[datetime, datetime | None]] = {}

    def is_on(self, camera_id: CameraId, kind: ConsentKind, now: datetime) -> bool:
        span = self.on.get((camera_id, kind))
        return span is not None and span[0] <= now and (span[1] is None or now < span[1])

    def give(self, camera_id: CameraId, kind: ConsentKind, now: datetime, until: datetime | None) -> type | None:
        if self.is_on(camera_id, kind, now):
            return AlreadyOptedIn
        if kind is AUDIO and not self.is_on(camera_id, VIDEO, now):
            return RecordedAudioNeedsRecording
        self.on[camera_id, kind] = (now, until)
        return None

    def withdraw(self, camera_id: CameraId, kind: ConsentKind) -> type | None:
        if (camera_id, kind) not in self.on:
            return NotOptedIn
        del self.on[camera_id, kind]
        if kind is VIDEO:
            self.on.pop((camera_id, AUDIO), None)
        return None

    def audio_since(self, camera_id: CameraId, now: datetime) -> datetime | None:
        if not (self.is_on(camera_id, VIDEO, now) and self.is_on(camera_id, AUDIO, now)):
            return None
        video, audio = self.on[camera_id, VIDEO][0], self.on[camera_id, AUDIO][0]
        return audio if audio >= video else None


OWNERS = {GATE: NORTH, DOOR: SOUTH}
cameras_ = st.sampled_from([GATE, DOOR])
kinds = st.sampled_from(ConsentKind)


class LedgerMachine(RuleBasedStateMachine):
    """Any sequence of acts leaves ledger, head, fold and model agreeing."""

    server: DatabaseServer

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name)
        self.ends = ExitStack()
        databases: Databases = self.ends.enter_context(self.server.for_one_test())
        self.db = Database(databases.with_tables(path))
        self.clock = HandClock()
        cameras = Cameras()
        for camera_id, operator_id in OWNERS.items():
            cameras.add(camera_id, operator_id)
        self.ledger = make_ledger(self.db, self.clock, path, cameras)
        self.model = Model()
        self.told = 0
        self.acts = 0
        self.ledger.on_change(self.hear)

    def hear(self, camera_id: CameraId) -> None:
        self.told += 1

    @rule(camera_id=cameras_, kind=kinds, length=lengths)
    def give(self, camera_id: CameraId, kind: ConsentKind, length: timedelta | None) -> None:
        now = self.clock.now()
        until = now + length if length else None

        def act() -> None:
            with self.db.writing() as session:
                opt_in(self.ledger, session, self.clock, OWNERS[camera_id], camera_id, kind, until)

        self.compare(act, self.model.give(camera_id, kind, now, until))

    @rule(camera_id=cameras_, kind=kinds)
    def withdraw(self, camera_id: CameraId, kind: ConsentKind) -> None:
        def act() -> None:
            with self.db.writing() as session:
                self.ledger.withdraw(session, PERSON, OWNERS[camera_id], camera_id, kind)

        self.compare(act, self.model.withdraw(camera_id, kind))

    @rule(camera_id=cameras_, kind=kinds)
    def withdraw_and_fail_before_the_commit(self, camera_id: CameraId, kind: ConsentKind) -> None:
        def act() -> None:
            with self.db.writing() as session:
                self.ledger.withdraw(session, PERSON, OWNERS[camera_id], camera_id, kind)
                raise InterruptedError

        with pytest.raises((InterruptedError, NotOptedIn)):
            act()

    @rule(count=st.integers(1, 200))
    def wait(self, count: int) -> None:
        self.clock.forward(timedelta(seconds=count))

    def compare(self, act: Callable[[], None], expected: type | None) -> None:
        if expected is None:
            act()
            self.acts += 1
            return
        with pytest.raises(ConsentRefusal) as refused:
            act()
        assert type(refused.value) is expected

    @invariant()
    def ledger_and_model_agree(self) -> None:
        now = self.clock.now()
        for camera_id in OWNERS:
            with self.db.reading() as session:
                permit = self.ledger.permit(session, camera_id)
                until = self.ledger.live_audio_until(session, camera_id)
                assert (until is not None and now < until) == self.model.is_on(camera_id, LIVE, now)
            assert (permit is not None) == self.model.is_on(camera_id, VIDEO, now)
            if permit is not None:
                assert permit.given_at == self.model.on[camera_id, VIDEO][0]
                assert permit.audio_given_at == self.model.audio_since(camera_id, now)
        assert self.told == self.acts

    @invariant()
    def the_head_is_the_newest_entry(self) -> None:
        differs = "IS NOT" if self.db.engine.dialect.name == "sqlite" else "IS DISTINCT FROM"
        with self.db.reading() as session:
            wrong = session.execute(
                text(
                    f"SELECT count(*) FROM consent_head h WHERE h.active_entry_id {differs} (SELECT CASE e.answer "
                    "WHEN 'given' THEN e.id END FROM consent_entry e WHERE e.camera_id = h.camera_id "
                    "AND e.kind = h.kind ORDER BY e.number DESC LIMIT 1)"
                )
            ).scalar_one()
        assert wrong == 0

    def teardown(self) -> None:
        self.db.close()
        self.ends.close()
        self.folder.cleanup()


def test_any_sequence_of_acts_leaves_ledger_head_fold_and_model_agreeing(database_server: DatabaseServer) -> None:
    class OnThisServer(LedgerMachine):
        server = database_server

    bounds = settings(max_examples=25, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(OnThisServer, settings=bounds)
