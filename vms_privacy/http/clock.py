"""Routes of the service's clock: whether the time is in doubt, and saying that the machine's clock is right."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from auth.gate import Asker, On, needs
from vms_privacy.clock_care import ClockCare
from vms_privacy.guarded_clock import GuardedClock
from vms_privacy.time_doubt import Cause, TimeDoubt
from vms_privacy.web import Duration, Moment, Strict

SettlingReason = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$",
        min_length=3,
        max_length=64,
        description="Why the machine's clock is right: small words joined by hyphens, or a ticket's number. It stays "
        "in the audit, where no free text may stand.",
        examples=["time-server-was-wrong", "ticket-4711"],
    ),
]


class DoubtShown(Strict):
    """A doubt about the time: since which trusted moment, why, and how far apart the witnesses were."""

    since: Moment
    cause: Cause
    apart: Duration


class ClockShown(Strict):
    """What time the service goes by. The three answers are equal, or nearly so, while there is no doubt."""

    now: Moment
    for_reading: Moment
    for_destroying: Moment
    doubt: DoubtShown | None


class ClockSettling(Strict):
    """Whoever settles a doubt answers for it: from now on what the machine's clock says counts."""

    reason: SettlingReason


class ClockSettled(Strict):
    """The doubt that is over, and the moment that counts from now on."""

    at: Moment
    doubt: DoubtShown


def clock_routes(clock: GuardedClock, care: ClockCare) -> APIRouter:
    """Return the routes; the clock is the installation's, so it is a matter of platform admins alone."""
    routes = APIRouter(prefix="/api/v1/clock", tags=["clock"])

    @routes.get("", **needs(None, on=On.PLATFORM))
    def read_clock() -> ClockShown:
        """Return the time that counts, and the doubt about it if there is one."""
        doubt = clock.doubt
        return ClockShown(
            now=clock.now(),
            for_reading=clock.for_reading(),
            for_destroying=clock.for_destroying(),
            doubt=None if doubt is None else _shown(doubt),
        )

    @routes.post("/settle", **needs(None, on=On.PLATFORM))
    def settle_clock(wanted: ClockSettling, asker: Asker) -> ClockSettled:
        """End the doubt: the machine's clock is right. Refused while the database's clock says otherwise.

        What has expired by that clock is destroyed by the next sweep, and destroying cannot be undone.
        """
        settled = care.settle(asker.label, wanted.reason)
        return ClockSettled(at=settled.at, doubt=_shown(settled.doubt))

    return routes


def _shown(doubt: TimeDoubt) -> DoubtShown:
    return DoubtShown(since=doubt.since, cause=doubt.cause, apart=doubt.apart)
