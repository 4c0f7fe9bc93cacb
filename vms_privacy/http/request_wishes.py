"""What is sent about requests."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from archive.orders.rules import Ground
from archive.segments.rules import Span
from auth.tokens.rules import microseconds
from vms_privacy.ids import CameraId
from vms_privacy.subject_requests.errors import RequestRefused
from vms_privacy.subject_requests.kinds import Answer, Channel, Doubt, IdentityState, Reason, WhyLonger
from vms_privacy.subject_requests.request import Place
from vms_privacy.subject_requests.rules import MOST_ITEMS
from vms_privacy.web import LINES, ONE_LINE, Moment, Strict

Words = Annotated[str, Field(max_length=2000), LINES]
Authority = Annotated[str, Field(max_length=300), ONE_LINE]


class PlaceWanted(Strict):
    """A stretch of one camera's time that somebody asks about: `from` is, `until` is not."""

    camera_id: UUID
    from_: Annotated[Moment, Field(alias="from")]
    until: Moment


class RequestWanted(Strict):
    """What somebody has asked, and when it truly arrived: its clock runs from then, whenever it is entered.

    `contact` is who they are and where they can be answered; it is kept sealed and forgotten 90 days after the end. Say
    neither name nor address anywhere else. Without `items` it is entered all the same, and narrowed down later. `doubt`
    is why they are asked who they are; without a reason the clock does not stand still.
    """

    kind: Literal["erasure", "restriction", "access", "objection"]
    channel: Channel
    received_at: Moment
    identity: Literal["not-needed", "asked-for", "confirmed"]
    doubt: Doubt | None = None
    contact: Words = ""
    items: Annotated[tuple[PlaceWanted, ...], Field(max_length=MOST_ITEMS)] = ()


class ScopeWanted(Strict):
    """What it is about, all of it; in place of what was said before."""

    items: Annotated[list[PlaceWanted], Field(min_length=1, max_length=MOST_ITEMS)]


class IdentityWanted(Strict):
    """What is known of who asks. `doubt` goes with `asked-for`."""

    state: IdentityState
    doubt: Doubt | None = None


class ExtensionWanted(Strict):
    """By how many months the answer takes longer, why, and when whoever asked was told so."""

    months: Annotated[int, Field(ge=1, le=2)]
    reason: WhyLonger
    told_at: Moment


class ItemDecided(Strict):
    """What is decided of one item; `reason` goes with `refuse`."""

    item: Annotated[int, Field(ge=1, le=MOST_ITEMS)]
    answer: Answer
    reason: Reason | None = None


class DecisionWanted(Strict):
    """What is decided; `words` are told to whoever asked, and kept sealed.

    `ground` and `review_at` are of a restriction. `complaint_to` is the authority that one can complain to; by default
    that of the operator's profile.
    """

    items: Annotated[list[ItemDecided], Field(min_length=1, max_length=MOST_ITEMS)]
    words: Words = ""
    complaint_to: Authority = ""
    ground: Literal["accuracy-contested", "unlawful-processing", "needed-for-claims", "objection-pending"] | None = None
    review_at: Moment | None = None


class RefusalWanted(Strict):
    """Why nothing of it is done."""

    reason: Reason
    words: Words = ""
    complaint_to: Authority = ""


class CloseWanted(Strict):
    """When whoever asked was told the outcome; with `taken_back`, when they took it back."""

    told_at: Moment
    taken_back: bool = False


def places_of(wanted: Sequence[PlaceWanted]) -> tuple[Place, ...]:
    """Read what a request is about. Raises RequestRefused."""
    for one in wanted:
        if one.until <= one.from_:
            raise RequestRefused("a stretch of time ends before it begins", rule="runs-backward")
    return tuple(
        Place(CameraId(one.camera_id), Span(microseconds(one.from_), microseconds(one.until))) for one in wanted
    )


def ground_of(wanted: DecisionWanted) -> Ground | None:
    """Return the ground of a restriction."""
    return None if wanted.ground is None else Ground(wanted.ground)
