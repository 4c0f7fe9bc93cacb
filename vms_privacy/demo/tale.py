"""The story from beginning to end, and what happens after it."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path

from vms_privacy.app import Assembly
from vms_privacy.clock import SystemClock
from vms_privacy.demo import (
    auditing,
    erasing,
    keeping,
    leaving,
    ordering,
    pausing,
    proving,
    regions,
    requesting,
    restoring,
    watching,
)
from vms_privacy.demo.story import Step, document, tell
from vms_privacy.demo.world import World, make_world
from vms_privacy.serve import leave_no_core
from vms_privacy.settings import Settings


def steps_of(world: World) -> list[Step]:
    """Return the steps in order; their names never change."""
    return [
        Step(
            "live-leaves-nothing",
            "Live without an opt-in leaves no media byte on disk",
            lambda: watching.live_leaves_nothing(world),
        ),
        Step("opt-in-records", "After the opt-in segments are written", lambda: keeping.opt_in_records(world)),
        Step("disk-is-ciphertext", "What is on disk is ciphertext", lambda: keeping.disk_is_ciphertext(world)),
        Step(
            "right-pictures",
            "Live and archive show the right camera, every picture, in order",
            lambda: watching.right_pictures(world),
        ),
        Step(
            "neighbour-sees-nothing",
            "Another operator gets byte for byte what a missing camera answers",
            lambda: watching.neighbour_sees_nothing(world),
        ),
        Step(
            "tokens-are-bounded",
            "A token opens nothing outside of its window, time, camera and action",
            lambda: watching.tokens_are_bounded(world),
        ),
        Step(
            "withdrawn-right-ends-live",
            "A withdrawn right ends live within a second; others lose nothing",
            lambda: watching.withdrawn_right_ends_live(world),
        ),
        Step(
            "recording-times-pause",
            "Outside of its recording times a camera is not recorded",
            lambda: pausing.recording_times_pause(world),
        ),
        Step(
            "withdrawal-stops-recording",
            "After the opt-in is withdrawn no later picture is written",
            lambda: keeping.withdrawal_stops_recording(world),
        ),
        Step(
            "rules-work-forward",
            "Longer retention reaches nothing that was taken before; shorter applies at once",
            lambda: keeping.rules_work_forward(world),
        ),
        Step(
            "expiry-to-the-second",
            "Footage is gone from its second of expiry, then its key and bytes",
            lambda: keeping.expiry_to_the_second(world),
        ),
        Step(
            "hold-beats-expiry",
            "What is held outlives its time, opens for its case alone, and two people lift it",
            lambda: ordering.hold_beats_expiry(world),
        ),
        Step(
            "restriction-closes-live",
            "A restriction cuts live within a second; the other camera goes on",
            lambda: ordering.restriction_closes_live(world),
        ),
        Step(
            "mandate-is-exact",
            "What two people have destroyed is gone at once and to the picture; the rest plays on",
            lambda: erasing.mandate_is_exact(world),
        ),
        Step(
            "receipt-verifies",
            "A receipt proves it offline, and no changed byte is accepted",
            lambda: proving.receipt_verifies(world),
        ),
        Step(
            "older-copy-opens-nothing",
            "An older copy with today's keyring opens nothing destroyed",
            lambda: keeping.older_copy_opens_nothing(world),
        ),
        Step(
            "request-has-a-clock",
            "A month-old request is overdue at once, erased by two people, and closed with an outcome alone",
            lambda: requesting.request_has_a_clock(world),
        ),
        Step(
            "footage-stays-in-its-region",
            "An operator's footage lies in the store of its region, and in no other",
            lambda: regions.footage_stays_in_its_region(world),
        ),
        Step(
            "operator-leaves",
            "An operator leaves with a list of everything; what two people confirm reads as gone, and nothing is left",
            lambda: leaving.operator_leaves(world),
        ),
        Step(
            "restore-forgets-nothing",
            "An older database that is put back is told of all that was destroyed or withdrawn since",
            lambda: restoring.restore_forgets_nothing(world),
        ),
        Step(
            "everything-is-accounted-for",
            "Every second, row, blob and key is accounted for",
            lambda: keeping.everything_is_accounted_for(world),
        ),
        Step(
            "audit-verifies",
            "The audit is whole, and every change to it is found",
            lambda: auditing.audit_verifies(world),
        ),
    ]


def play(
    folder: Path | None,
    *,
    as_json: bool,
    then: Callable[[World], None],
    assemble: Callable[[Settings], Assembly] = Assembly,
) -> int:
    """Tell the story on standard output and go on with its world; return the exit code: 0 only if every step held.

    As JSON it is one document and nothing else.
    """
    leave_no_core()
    signal.signal(signal.SIGTERM, _stop)
    say = _say_nothing if as_json else _say_aloud
    say("vms-privacy: the story, on three simulated cameras and one service, over real sockets\n")
    with make_world(folder, assemble) as world:
        told = tell(steps_of(world), SystemClock(), say)
        failed = [one.name for one in told if not one.ok]
        say("\nEvery step held." if not failed else f"\nSteps that did not hold: {', '.join(failed)}")
        if as_json:
            _say_aloud(document(told))
        then(world)
    return 1 if failed else 0


def _stop(number: int, _: object) -> None:
    """End as an interruption does, so that the world's folder, with its keys and footage, goes with it."""
    raise SystemExit(128 + number)


def _say_aloud(text: str) -> None:
    """Write one line for people, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _say_nothing(_: str) -> None:
    """Leave standard output to the document."""
