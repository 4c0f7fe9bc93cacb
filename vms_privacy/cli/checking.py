"""The command that accounts for everything. Without `--repair` it changes nothing but what it remembers."""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from enum import StrEnum, unique
from types import FrameType
from typing import Annotated, Final

import typer

from archive.check.joined import checker_of, mender_of
from archive.check.memory import EVERYTHING, How, Wish
from archive.check.mending import Mended
from archive.check.places import Places
from archive.check.rules import SECOND_US, Depth
from archive.check.service import CheckReport, Progress
from archive.erasure.unused_keys import UnusedKeys, destroy_unused_keys
from streams.media.trial import DecodeTrial
from vms_privacy.app import Assembly
from vms_privacy.cli.forms import size, table
from vms_privacy.cli.moments import span_of
from vms_privacy.cli.options import AsJson, DataDir, command_group
from vms_privacy.cli.output import FOUND_WRONG, STOPPED, note, tell
from vms_privacy.cli.parts import assembly_of, told_of_the_database, warn_of_unknown_variables
from vms_privacy.clock import Clock
from vms_privacy.journal.journal import JournalIsTaken

app = command_group("Check what there is.")

_TOLD_EVERY_S: Final = 5.0
_STOPPING: Final = (signal.SIGINT, signal.SIGTERM)
Handler = Callable[[int, FrameType | None], object] | int | None


@unique
class DepthWord(StrEnum):
    """How closely files are looked at."""

    PRESENCE = "presence"
    SIZE = "size"
    SEALS = "seals"
    OPENS = "opens"

    @property
    def depth(self) -> Depth:
        """Return the depth of this word."""
        return Depth[self.name]


_Depth = Annotated[
    DepthWord,
    typer.Option(
        "--depth",
        help="How closely files are looked at: are they there; are they as long as they should be; have they the head "
        "and the seal of their row; does every chunk open and every picture decode.",
    ),
]
_SinceLast = Annotated[bool, typer.Option("--since-last", help="Only files that were never looked at so closely.")]
_OlderThan = Annotated[
    str | None,
    typer.Option("--older-than", metavar="DURATION", help="Only files last looked at longer ago than, say, P7D."),
]
_Resume = Annotated[
    bool, typer.Option("--resume", help="Go on where a check of this depth was stopped; begin anew if it was not.")
]
_For = Annotated[
    str | None,
    typer.Option("--for", metavar="DURATION", help="Look at files for so long, say PT1H; --resume goes on there."),
]


_Repair = Annotated[
    bool,
    typer.Option(
        "--repair",
        help="Mend what nothing can be lost by, and move what nobody knows into quarantine; all else stays a finding.",
    ),
]


@app.command("check")
def check(
    depth: _Depth = DepthWord.SEALS,
    data_dir: DataDir = None,
    older_than: _OlderThan = None,
    lasting: _For = None,
    *,
    since_last: _SinceLast = False,
    resume: _Resume = False,
    repair: _Repair = False,
    as_json: AsJson = False,
) -> None:
    """Account for every second, row, blob and key. Works beside a running service; exits 6 if anything is found."""
    wish = _wish_of(older_than, since_last=since_last, resume=resume)
    longest = None if lasting is None else span_of(lasting)
    warn_of_unknown_variables()
    parts = assembly_of(data_dir)
    with told_of_the_database(), stopped_by_hand() as is_stopped, closing(DecodeTrial()) as decoding:
        checker = checker_of(parts, decoding, Told(parts.clock, is_quiet=as_json))
        report = checker.check(depth.depth, wish, until(parts.clock, longest, is_stopped))
        mended = _mend(parts, report) if repair else []
    tell(document_of(report, mended), lines_of(report, mended), as_json=as_json)
    if is_stopped():
        raise typer.Exit(STOPPED)
    if not report.is_clean:
        raise typer.Exit(FOUND_WRONG)


def _mend(parts: Assembly, report: CheckReport) -> list[Mended]:
    """Mend what can be; what is left stays in the report."""
    with _keys_of(parts) as unused_keys:
        done = mender_of(parts, unused_keys).mend(report.findings)
    report.findings = done.left
    report.totals |= Places(parts.settings.spool, parts.store).quarantine_totals()
    return done.mended


@contextmanager
def _keys_of(parts: Assembly) -> Iterator[Callable[[], UnusedKeys] | None]:
    """Say how keys that nothing needs are destroyed; None while a service runs: it does so when it starts."""
    try:
        journal = parts.journal
    except JournalIsTaken:
        note("the service is running: keys that nothing needs are destroyed when it starts the next time")
        yield None
        return
    with journal:
        spool, buckets, audit = parts.settings.spool, parts.buckets, parts.audit
        yield lambda: destroy_unused_keys(parts.db, buckets, parts.store, spool, journal, audit, parts.clock)


def until(clock: Clock, longest: timedelta | None, is_stopped: Callable[[], bool]) -> Callable[[], bool]:
    """Return what says when to stop: when it is stopped, or has looked at files for so long."""
    began_s: float | None = None

    def stop() -> bool:
        nonlocal began_s
        now_s = clock.monotonic()
        began_s = now_s if began_s is None else began_s
        return is_stopped() or (longest is not None and now_s - began_s >= longest.total_seconds())

    return stop


@contextmanager
def stopped_by_hand() -> Iterator[Callable[[], bool]]:
    """Say whether somebody pressed Ctrl-C, or ended the process: what was looked at by then is told and remembered.

    A second time ends it at once.
    """
    heard: list[int] = []

    def hear(number: int, _: FrameType | None) -> None:
        heard.append(number)
        signal.signal(number, before[number])

    before: dict[int, Handler] = {number: signal.signal(number, hear) for number in _STOPPING}
    try:
        yield lambda: bool(heard)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Told(Progress):
    """Tells people how far it is, every few seconds."""

    def __init__(self, clock: Clock, *, is_quiet: bool) -> None:
        self._clock = clock
        self._is_quiet = is_quiet
        self._told_at_s = clock.monotonic()

    def __call__(self, part: str, done: int, of: int = 0) -> None:
        now_s = self._clock.monotonic()
        if self._is_quiet or now_s - self._told_at_s < _TOLD_EVERY_S:
            return
        self._told_at_s = now_s
        note(f"{part.replace('_', ' ')}: {done:,}{f' of {of:,}' if of else ''}")


def document_of(report: CheckReport, mended: Sequence[Mended] = ()) -> Mapping[str, object]:
    """Return a report for programs."""
    findings = [str(one) for one in report.findings]
    return {
        "clean": report.is_clean,
        "depth": report.depth.word,
        "whole": report.is_whole,
        "totals": report.totals,
        "tolerated": _tolerated(report),
        "mended": [{"finding": str(one.finding), "how": one.how} for one in mended],
        "findings": findings,
    }


def lines_of(report: CheckReport, mended: Sequence[Mended] = ()) -> list[str]:
    """Return a report for people."""
    told = ((name.replace("_", " "), f"{n:,}") for name, n in report.totals.items())
    good = "Everything is accounted for." if report.is_whole else "Nothing is wrong with what was looked at."
    verdict = good if report.is_clean else f"{len(report.findings)} finding(s):"
    found = [f"  {one}" for one in report.findings]
    done = [f"{len(mended)} mended:", *(f"  {one}" for one in mended)] if mended else []
    rest = [one for one in (_quarantined(report), _tolerated(report), _left(report)) if one]
    return [*table(("looked at", "how many"), told, ""), "", *done, verdict, *found, *rest]


def _quarantined(report: CheckReport) -> str:
    count = report.totals.get("quarantined", 0)
    if not count:
        return ""
    held = size(report.totals["quarantined_bytes"])
    return f"{count:,} in quarantine, {held}: somebody has to decide about them, see docs/operate/checks.md."


def _left(report: CheckReport) -> str:
    if report.is_whole:
        return ""
    return (
        "Not every file was looked at: it was stopped, or its time was over. "
        f"`vms-privacy check --depth {report.depth.word} --resume` goes on there."
    )


def _wish_of(older_than: str | None, *, since_last: bool, resume: bool) -> Wish:
    if sum((older_than is not None, since_last, resume)) > 1:
        raise typer.BadParameter("--since-last, --older-than and --resume name different files: take one of them")
    if older_than is not None:
        return Wish(older_than=span_of(older_than))
    return Wish(How.NEW_ALONE if since_last else How.GO_ON) if since_last or resume else EVERYTHING


def _tolerated(report: CheckReport) -> str:
    """Say why time that is not accounted for is no finding; nothing where there is none."""
    milliseconds = report.totals.get("tolerated_ms", 0)
    if not milliseconds:
        return ""
    return (
        f"{milliseconds:,} ms of the opted-in time are in no segment and no gap, in stretches that are each shorter "
        f"than the {SECOND_US // 1_000_000} s between segments that is tolerated."
    )
