"""What whoever asked is told, as plain text. Pure.

Promise P6: that a hold exists is in no statement. The sentence on what must be kept by law stands in every one that
speaks of erasing, whether anything is kept or not; of what was destroyed it says that all of it is gone that may go.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from vms_privacy.ids import CameraId
from vms_privacy.subject_requests.kinds import Answer, Channel, Outcome, Reason, RequestKind, Standing
from vms_privacy.subject_requests.request import Item, Request

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ASKED: Final[Mapping[RequestKind, str]] = MappingProxyType(
    {
        RequestKind.ERASURE: "to erase footage (GDPR, Article 17)",
        RequestKind.RESTRICTION: "to restrict the use of footage (GDPR, Article 18)",
        RequestKind.ACCESS: "to see footage (GDPR, Article 15)",
        RequestKind.OBJECTION: "objecting to footage (GDPR, Article 21)",
        RequestKind.WITHDRAWAL: "to erase what was recorded under an opt-in that was withdrawn",
    }
)
_BY: Final[Mapping[Channel, str]] = MappingProxyType(
    {
        Channel.ACCOUNT: "by account",
        Channel.MAIL: "by e-mail",
        Channel.LETTER: "by letter",
        Channel.COUNTER: "in person",
    }
)
_BECAUSE: Final[Mapping[Reason, str]] = MappingProxyType(
    {
        Reason.CANNOT_IDENTIFY: "we could not establish that it is about you (GDPR, Articles 11(2) and 12(6))",
        Reason.NOT_NARROWED_DOWN: "it does not say which camera and which time, and we were not told when we asked",
        Reason.UNFOUNDED: "it is manifestly unfounded (GDPR, Article 12(5)(b))",
        Reason.EXCESSIVE: "it is excessive, in particular because it repeats others (GDPR, Article 12(5)(b))",
        Reason.EXPRESSION: "it is needed for freedom of expression and information (GDPR, Article 17(3)(a))",
        Reason.LEGAL_OBLIGATION: "the law obliges us to keep it (GDPR, Article 17(3)(b))",
        Reason.LEGAL_CLAIMS: "it is needed for legal claims, or against them (GDPR, Articles 17(3)(e) and 21(1))",
        Reason.OTHERS_RIGHTS: "a copy would harm the rights of other people (GDPR, Article 15(4))",
        Reason.NO_GROUND: "none of the grounds that the law names applies (GDPR, Articles 17(1) and 18(1))",
        Reason.COMPELLING_GROUNDS: "we have compelling legitimate grounds that override yours (GDPR, Article 21(1))",
        Reason.KEPT_AFTER_ALL: "whoever had asked for it decided to keep it",
    }
)
_ENDED: Final[Mapping[Outcome, str]] = MappingProxyType(
    {
        Outcome.GRANTED: "It is granted.",
        Outcome.PARTLY_GRANTED: "It is granted in part.",
        Outcome.REFUSED: "It is refused.",
        Outcome.NOTHING_THERE: "There is no footage of what you asked about.",
        Outcome.TAKEN_BACK: "You have taken it back.",
    }
)
_KEPT_BY_LAW: Final = (
    "Footage that the law obliges us to keep is closed to everybody else and destroyed once that duty ends, without "
    "another request. Whether there is any is not told to anybody."
)
_RIGHTS: Final = "You can complain to {whom}, and you can go to court (GDPR, Articles 77 and 79)."


@dataclass(frozen=True, slots=True)
class Told:
    """One item as far as its requester is told of it. `waits_for`: who has not confirmed yet that it is gone."""

    item: Item
    standing: Standing
    waits_for: tuple[str, ...] = ()


def statement(
    request: Request,
    told: Sequence[Told],
    outcome: Outcome | None,
    operator: str,
    cameras: Mapping[CameraId, str],
    words: str,
    now: datetime,
) -> str:
    """Write the answer to a request as it stands; `outcome` is None while something is not done yet."""
    lines = [*_head(request, operator, now), "", *_body(request, told, outcome, cameras)]
    if words:
        lines += ["", words]
    if any(one.item.answer is Answer.ERASE for one in told):
        lines += ["", _KEPT_BY_LAW]
    refuses = request.refused_whole is not None or any(one.standing is Standing.REFUSED for one in told)
    if refuses and request.complaint_to:
        lines += ["", _RIGHTS.format(whom=request.complaint_to)]
    return "\n".join([*lines, ""])


def _head(request: Request, operator: str, now: datetime) -> Iterator[str]:
    yield f"{operator}"
    yield f"Answer of {_moment(now)} to request {request.id}"
    yield ""
    yield f"On {_moment(request.received_at)} you asked {_BY[request.channel]} {_ASKED[request.kind]}."
    longer = request.extension
    if longer is not None:
        why = "it is complex" if longer.reason == "complex" else "there were many requests"
        yield f"As we told you on {_moment(longer.told_at)}, the answer took longer because {why}."


def _body(
    request: Request, told: Sequence[Told], outcome: Outcome | None, cameras: Mapping[CameraId, str]
) -> Iterator[str]:
    yield _ENDED[outcome] if outcome is not None else "It is decided, and not all of it is done yet."
    if outcome is Outcome.TAKEN_BACK:
        return
    if request.refused_whole is not None:
        yield f"Reason: {_BECAUSE[request.refused_whole]}."
        return
    for one in told:
        place = one.item.place
        camera = cameras.get(place.camera_id, str(place.camera_id))
        since, until = (
            _moment(_EPOCH + timedelta(microseconds=at)) for at in (place.span.from_us, place.span.until_us)
        )
        yield ""
        yield f"{one.item.number}. Camera {camera}, {since} to {until}:"
        yield f"   {_said(one)}"


def _said(one: Told) -> str:
    if one.standing is Standing.REFUSED and one.item.reason is not None:
        return f"refused: {_BECAUSE[one.item.reason]}."
    if one.standing is Standing.NOTHING_THERE:
        return "no footage of this time is there."
    if one.item.answer is Answer.ERASE:
        if one.standing is Standing.DONE:
            return (
                "all footage of this time that may be destroyed is destroyed: its keys, and its bytes in every store."
            )
        return f"it is being destroyed; not confirmed yet by: {', '.join(one.waits_for) or 'the archive'}."
    if one.item.answer is Answer.RESTRICT:
        return "restricted: nobody looks at it and nothing of it is destroyed. You are told before that ends."
    if one.item.answer is Answer.OFFER_VIEWING:
        return "you can look at it with us; others who are to be seen are not handed out."
    return "a copy was made for you."


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
