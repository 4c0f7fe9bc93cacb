"""What is shown of requests. Nothing here says who asks but `ContactShown`."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field

from archive.mandates.service import Preview
from vms_privacy.subject_requests.answering import KEYRING, STORE, waits_for
from vms_privacy.subject_requests.following import Followed
from vms_privacy.subject_requests.footage import There
from vms_privacy.subject_requests.kinds import (
    Answer,
    Channel,
    Doubt,
    IdentityState,
    Outcome,
    Reason,
    RequestKind,
    Standing,
    WhyLonger,
)
from vms_privacy.subject_requests.request import Item, Request
from vms_privacy.web import Duration, Moment, Strict

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ExtensionShown(Strict):
    """By how long an answer takes longer, why, and when that was told."""

    months: int
    reason: WhyLonger
    told_at: Moment


class StoreShown(Strict):
    """Whether one store has confirmed that all of it is gone; `failure` is a code, empty if there is none.

    No counts: beside those of a preview they would tell of holds.
    """

    store: str
    is_confirmed: bool
    failure: str


class ItemShown(Strict):
    """One item, what was decided, and how far it is."""

    item: int
    camera_id: UUID
    from_: Annotated[Moment, Field(alias="from")]
    until: Moment
    answer: Answer | None
    reason: Reason | None
    standing: Standing
    decided_by: str
    decided_at: Moment | None
    proposal_id: UUID | None
    order_id: UUID | None
    stores: list[StoreShown]


class RequestListed(Strict):
    """One request. `promised_by` never moves; `answer_by` is what the law allows at most."""

    request_id: UUID
    kind: RequestKind
    channel: Channel
    received_at: Moment
    entered_at: Moment
    entered_by: str
    promised_by: Moment
    answer_by: Moment
    is_overdue: bool
    missed_promise: bool
    identity: IdentityState
    doubt: Doubt | None
    extension: ExtensionShown | None
    refused_whole: Reason | None
    complaint_to: str
    outcome: Outcome | None
    answered_at: Moment | None
    closed_at: Moment | None
    closed_by: str
    forgotten_at: Moment | None


class RequestShown(RequestListed):
    """One request with its items."""

    items: list[ItemShown]


class ThereShown(Strict):
    """What is there of one item, by rows alone. `kept_by_orders` is told to those who may know of holds."""

    item: int
    camera_id: UUID
    segments: int
    size_bytes: int
    recorded: Duration
    growing: int
    kept_by_orders: int | None


class ItemPreview(Strict):
    """What would be destroyed of one item, exact to the picture; as in the preview of a mandate."""

    item: int
    camera_id: UUID
    gone_from: Moment | None
    gone_until: Moment | None
    segments: int
    in_part: int
    size_bytes: int
    recorded: Duration
    growing: int
    too_young: int
    unreadable: int
    kept_by_orders: int | None


class ContactShown(Strict):
    """Who asks, for whoever answers them. That it was shown is in the audit."""

    contact: str


class ClocksShown(Strict):
    """Open requests: beyond the answer date, beyond the promised date, and when the next answer is due."""

    open: int
    overdue: int
    promise_missed: int
    next_answer_by: Moment | None


def listed(request: Request, now: datetime) -> dict[str, object]:
    """Return what is shown of a request itself."""
    longer = request.extension
    return {
        "request_id": request.id,
        "kind": request.kind,
        "channel": request.channel,
        "received_at": request.received_at,
        "entered_at": request.entered_at,
        "entered_by": request.entered_by,
        "promised_by": request.promised_by,
        "answer_by": request.answer_by,
        "is_overdue": request.is_overdue(now),
        "missed_promise": request.missed_promise(now),
        "identity": request.identity.state,
        "doubt": request.identity.doubt,
        "extension": None
        if longer is None
        else {"months": longer.months, "reason": longer.reason, "told_at": longer.told_at},
        "refused_whole": request.refused_whole,
        "complaint_to": request.complaint_to,
        "outcome": request.outcome,
        "answered_at": request.answered_at,
        "closed_at": request.closed_at,
        "closed_by": request.closed_by,
        "forgotten_at": request.forgotten_at,
    }


def shown(request: Request, followed: Sequence[Followed], now: datetime) -> RequestShown:
    """Return a request with its items, as it stands."""
    return RequestShown.model_validate(listed(request, now) | {"items": [_item(one) for one in followed]})


def there_shown(item: Item, found: There) -> ThereShown:
    """Return what is there of an item."""
    return ThereShown(
        item=item.number,
        camera_id=item.place.camera_id,
        segments=found.segments,
        size_bytes=found.size_bytes,
        recorded=timedelta(microseconds=found.recorded_us),
        growing=found.growing,
        kept_by_orders=found.kept_by_orders,
    )


def preview_shown(item: Item, found: Preview) -> ItemPreview:
    """Return what would be destroyed of an item."""
    gone = found.gone
    return ItemPreview(
        item=item.number,
        camera_id=item.place.camera_id,
        gone_from=None if gone is None else _moment(gone.from_us),
        gone_until=None if gone is None else _moment(gone.until_us),
        segments=found.segments,
        in_part=found.in_part,
        size_bytes=found.size_bytes,
        recorded=timedelta(microseconds=found.recorded_us),
        growing=found.growing,
        too_young=found.too_young,
        unreadable=found.unreadable,
        kept_by_orders=found.kept_by_orders,
    )


def _item(one: Followed) -> dict[str, object]:
    item = one.item
    return {
        "item": item.number,
        "camera_id": item.place.camera_id,
        "from": _moment(item.place.span.from_us),
        "until": _moment(item.place.span.until_us),
        "answer": item.answer,
        "reason": item.reason,
        "standing": one.standing,
        "decided_by": item.decided_by,
        "decided_at": item.decided_at,
        "proposal_id": item.proposal_id,
        "order_id": item.order_id,
        "stores": _stores(one),
    }


def _stores(one: Followed) -> list[dict[str, object]]:
    if one.carrying is None:
        return []
    waiting, failure = waits_for(one), one.carrying.confirmed.failure or one.carrying.mandate.last_failure
    is_done = one.standing is Standing.DONE
    return [
        {"store": KEYRING, "is_confirmed": is_done or KEYRING not in waiting, "failure": ""},
        {"store": STORE, "is_confirmed": is_done or STORE not in waiting, "failure": "" if is_done else failure},
    ]


def _moment(moment_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=moment_us)
