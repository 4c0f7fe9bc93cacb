"""The fold of the ledger. Silence means no; the newest entry decides; permits are made here and nowhere else."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum, unique
from typing import Final

from vms_privacy.consent.errors import (
    AlreadyOptedIn,
    ConsentRefusal,
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
)
from vms_privacy.ids import CameraId, ConsentEntryId, OperatorId
from vms_privacy.recording_times.rules import Plan, begins_at, recorded_now

ASK_AGAIN_AFTER: Final = timedelta(seconds=30)
LONGEST_PURPOSE: Final = 200
WITHOUT_END: Final = datetime.max.replace(tzinfo=UTC)
"""Until when an opt-in lasts that names no end: until it is withdrawn."""
_PERSON: Final = re.compile(r"person:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


@unique
class ConsentKind(StrEnum):
    """What can be switched on, each by itself, each off by default."""

    VIDEO_RECORDING = "video-recording"
    LIVE_AUDIO = "live-audio"
    RECORDED_AUDIO = "recorded-audio"


@unique
class Answer(StrEnum):
    """What an entry says."""

    GIVEN = "given"
    WITHDRAWN = "withdrawn"


@unique
class LegalBasis(StrEnum):
    """GDPR, Article 6(1), (a) to (f)."""

    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal-obligation"
    VITAL_INTERESTS = "vital-interests"
    PUBLIC_TASK = "public-task"
    LEGITIMATE_INTERESTS = "legitimate-interests"


@unique
class Method(StrEnum):
    """How the answer reached us. The last three exist so that they can be refused by name."""

    CONSOLE = "console"
    API = "api"
    COMMAND_LINE = "command-line"
    IMPORT = "import"
    TEMPLATE = "template"
    CONFIGURATION = "configuration"


BY_A_PERSON: Final = frozenset({Method.CONSOLE, Method.API, Method.COMMAND_LINE})


@dataclass(frozen=True, slots=True)
class ConsentEntry:
    """One line of the ledger. `number` counts 1, 2, 3, … per camera and kind; the highest is the newest.

    `from_at` is when it was written and took effect; `until_at`, of an opt-in only, when it ends by itself.
    """

    entry_id: ConsentEntryId
    number: int
    camera_id: CameraId
    operator_id: OperatorId
    actor: str
    kind: ConsentKind
    answer: Answer
    from_at: datetime
    until_at: datetime | None = None
    purpose: str = ""
    legal_basis: LegalBasis | None = None
    wording_version: str = ""
    method: Method | None = None
    sign_confirmed_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RecordingPermit:
    """Proof of an opt-in in force. Made only by `permit_at`; good until `ask_again_at`, at most 30 s.

    A packet may be written only if it arrived after `given_at`, and before `until` if there is one; a packet of sound
    only after `audio_given_at` and before `audio_until`, and not at all while `audio_given_at` is None. Nothing is
    written of before `times_from` nor from `times_until` on, where the camera's recording times begin and end. The ends
    hold also where the ledger cannot be asked again.
    """

    camera_id: CameraId
    entry_id: ConsentEntryId
    given_at: datetime
    audio_given_at: datetime | None
    ask_again_at: datetime
    until: datetime | None
    audio_until: datetime | None
    times_from: datetime | None = None
    times_until: datetime | None = None

    @property
    def audio(self) -> bool:
        """Say whether sound may be recorded."""
        return self.audio_given_at is not None


@dataclass(frozen=True, slots=True)
class OptIn:
    """What somebody asks to switch on, before anything was checked."""

    actor: str
    kind: ConsentKind
    purpose: str
    legal_basis: LegalBasis
    method: Method
    sign_confirmed_at: datetime | None
    until: datetime | None


def newest(entries: Iterable[ConsentEntry], camera_id: CameraId, kind: ConsentKind) -> ConsentEntry | None:
    """Return the entry that decides: the highest number, whatever its times say.

    By number and not by time: after a step of the clock a withdrawal may carry an earlier time than the opt-in it
    ends, and must not come undone when the clock is back.
    """
    of_kind = (entry for entry in entries if entry.camera_id == camera_id and entry.kind is kind)
    return max(of_kind, key=lambda entry: entry.number, default=None)


def in_force(
    entries: Iterable[ConsentEntry], camera_id: CameraId, kind: ConsentKind, now: datetime
) -> ConsentEntry | None:
    """Return the opt-in that covers `now`, or None: no entry, withdrawn, ended, or not begun."""
    entry = newest(entries, camera_id, kind)
    if entry is None or entry.answer is not Answer.GIVEN or now < entry.from_at:
        return None
    return None if entry.until_at is not None and entry.until_at <= now else entry


@dataclass(frozen=True, slots=True)
class Paused:
    """Why an opt-in in force allows nothing now: it is none of the camera's recording times. Good as a permit is."""

    ask_again_at: datetime


def paused_at(plans: Sequence[Plan], now: datetime) -> Paused | None:
    """Say whether `now` is none of a camera's recording times; None if it is one of them."""
    if recorded_now(plans, now) is not None:
        return None
    begins = begins_at(plans, now)
    return Paused(min(now + ASK_AGAIN_AFTER, begins or WITHOUT_END))


def permit_at(
    entries: Iterable[ConsentEntry], camera_id: CameraId, now: datetime, plans: Sequence[Plan] = ()
) -> RecordingPermit | None:
    """Fold the ledger of a camera into a permit to record at `now`, or None.

    `plans` are all that were ever set as its recording times: outside of them there is no permit, either.
    """
    known = tuple(entries)
    video = in_force(known, camera_id, ConsentKind.VIDEO_RECORDING, now)
    times = recorded_now(plans, now)
    if video is None or times is None:
        return None
    audio = in_force(known, camera_id, ConsentKind.RECORDED_AUDIO, now)
    if audio is not None and audio.from_at < video.from_at:
        # It was given beside an earlier opt-in, which ended: nobody agreed to sound beside this one.
        audio = None
    ends = [entry.until_at for entry in (video, audio) if entry is not None and entry.until_at is not None]
    # After a step of the clock an answer about sound may lie ahead: it counts from its own moment on.
    newest_audio = newest(known, camera_id, ConsentKind.RECORDED_AUDIO)
    if newest_audio is not None and now < newest_audio.from_at:
        ends.append(newest_audio.from_at)
    if times.until is not None:
        ends.append(times.until)
    return RecordingPermit(
        camera_id,
        video.entry_id,
        given_at=video.from_at,
        audio_given_at=audio.from_at if audio else None,
        ask_again_at=min([now + ASK_AGAIN_AFTER, *ends]),
        until=video.until_at,
        audio_until=audio.until_at if audio else None,
        times_from=times.from_at,
        times_until=times.until,
    )


def live_audio_until(entries: Iterable[ConsentEntry], camera_id: CameraId, now: datetime) -> datetime | None:
    """Return until when the camera's sound may be heard live, as it stands at `now`; None if it may not."""
    entry = in_force(entries, camera_id, ConsentKind.LIVE_AUDIO, now)
    return None if entry is None else entry.until_at or WITHOUT_END


def stopped_at(entries: Iterable[ConsentEntry], camera_id: CameraId, now: datetime) -> datetime | None:
    """Return when the last recording opt-in ended; None while one is in force and where there never was one.

    A packet that arrived after this moment is not written.
    """
    entry = newest(entries, camera_id, ConsentKind.VIDEO_RECORDING)
    if entry is None:
        return None
    if entry.answer is Answer.WITHDRAWN:
        return entry.from_at
    return entry.until_at if entry.until_at is not None and entry.until_at <= now else None


def judge_opt_in(
    asked: OptIn, entries: Iterable[ConsentEntry], camera_id: CameraId, now: datetime
) -> ConsentRefusal | None:
    """Say why this opt-in must not be entered, or None if it may. Who asks comes before what is asked."""
    return _judge_actor(asked) or _judge_terms(asked, now) or _judge_order(asked, tuple(entries), camera_id, now)


def judge_withdrawal(
    actor: str, kind: ConsentKind, entries: Iterable[ConsentEntry], camera_id: CameraId
) -> ConsentRefusal | None:
    """Say why this withdrawal cannot be entered, or None. Anybody the gate let through may stop a recording."""
    if not actor.strip() or actor == "nobody":
        return WithdrawalNeedsSomebody("a withdrawal names who withdrew")
    entry = newest(entries, camera_id, kind)
    if entry is None or entry.answer is Answer.WITHDRAWN:
        return NotOptedIn(f"{kind} is not switched on")
    return None


def _judge_actor(asked: OptIn) -> ConsentRefusal | None:
    if asked.method not in BY_A_PERSON:
        return OptInIsNeverImported(f"{asked.method} is not a person's decision")
    if asked.actor == "platform-admin" or asked.actor.startswith("platform-admin:"):
        return OptInIsTheOperators("only a person of the operator can switch this on")
    if _PERSON.fullmatch(asked.actor) is None:
        return OptInNeedsAPerson("only a person of the operator can switch this on")
    return None


def _judge_terms(asked: OptIn, now: datetime) -> ConsentRefusal | None:
    if not asked.purpose.strip():
        return PurposeIsBlank("say what for")
    if len(asked.purpose) > LONGEST_PURPOSE or not asked.purpose.isprintable():
        return PurposeIsUnfit(f"a purpose is one line of at most {LONGEST_PURPOSE} characters")
    if asked.sign_confirmed_at is None:
        return SignIsNotConfirmed("say when the sign at the camera was seen")
    if asked.sign_confirmed_at > now:
        return SignIsInTheFuture("the sign cannot have been seen at a moment that has not come")
    if asked.until is not None and asked.until <= now:
        return OptInEndsBeforeItBegins("the end must be later than now")
    return None


def _judge_order(
    asked: OptIn, entries: tuple[ConsentEntry, ...], camera_id: CameraId, now: datetime
) -> ConsentRefusal | None:
    if in_force(entries, camera_id, asked.kind, now) is not None:
        return AlreadyOptedIn(f"{asked.kind} is switched on already")
    needs_video = asked.kind is ConsentKind.RECORDED_AUDIO
    if needs_video and in_force(entries, camera_id, ConsentKind.VIDEO_RECORDING, now) is None:
        return RecordedAudioNeedsRecording("switch video recording on first")
    return None
