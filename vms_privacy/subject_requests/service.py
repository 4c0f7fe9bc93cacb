"""Entering requests, finding them, and what is known of who asks. Deciding about them: deciding.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from auth.errors import NotFound
from auth.principal import Granted
from auth.resources.store import ResourceStore
from auth.tokens.rules import microseconds
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.errors import Refusal
from vms_privacy.ids import CameraId, OperatorId, Randomness, RequestId
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import Fact, JournalKind
from vms_privacy.keyring.port import Keyring, Purpose
from vms_privacy.subject_requests import rules, store
from vms_privacy.subject_requests.errors import ContactIsForgotten, RequestRefused, TooManyRequests
from vms_privacy.subject_requests.kinds import Channel, Doubt, IdentityState, RequestKind, WhyLonger
from vms_privacy.subject_requests.request import Identity, Item, Place, Request
from vms_privacy.subject_requests.store import Clocks

MOST_SHOWN: Final = 1000
_CONTACT: Final = b"request-contact:"
_WORDS: Final = b"request-words:"


@dataclass(frozen=True, slots=True)
class NewRequest:
    """What somebody has asked, as it is entered. `contact`: who they are and where they can be answered, in words."""

    kind: RequestKind
    channel: Channel
    received_at: datetime
    identity: IdentityState
    doubt: Doubt | None = None
    contact: str = ""
    places: tuple[Place, ...] = ()


class RequestService:
    """Keeps requests. Each act is in the audit, with ids and codes: who asks is sealed here and told nowhere else."""

    def __init__(
        self, audit: AuditLog, journal: Journal, clock: Clock, randomness: Randomness, keyring: Keyring
    ) -> None:
        self._audit = audit
        self._journal = journal
        self._clock = clock
        self._randomness = randomness
        self._keyring = keyring
        self._resources = ResourceStore()

    def enter(self, session: Session, granted: Granted, new: NewRequest) -> Request:
        """Enter a request; its clock has run since it was received.

        Raises RequestRefused, TooManyRequests, NotFound for another operator's camera, KeyringUnavailable.
        """
        if new.kind is RequestKind.WITHDRAWAL:
            raise RequestRefused("that one comes with the withdrawal of an opt-in", rule="not-entered")
        if new.identity is IdentityState.FAILED or (new.doubt and new.identity is not IdentityState.ASKED_FOR):
            raise RequestRefused("say whether it is known who asks, or that they are asked", rule="no-such-step")
        return self._add(session, granted, new)

    def enter_withdrawal(self, session: Session, granted: Granted, places: Sequence[Place]) -> Request:
        """Enter what an operator's own person has asked with the withdrawal of an opt-in. Raises TooManyRequests."""
        new = NewRequest(
            RequestKind.WITHDRAWAL,
            Channel.ACCOUNT,
            self._clock.now(),
            IdentityState.NOT_NEEDED,
            places=tuple(places),
        )
        return self._add(session, granted, new)

    def open_over(self, session: Session, camera_id: CameraId, moment_us: int) -> list[RequestId]:
        """Return the open requests about a moment of a camera, the oldest first."""
        return store.open_over(session, camera_id, moment_us)

    def find(self, session: Session, operator_id: OperatorId, request_id: RequestId) -> Request:
        """Return one request of an operator. Raises NotFound: also for another operator's."""
        found = store.by_id(session, operator_id, request_id)
        if found is None:
            raise NotFound
        return found

    def of_operator(self, session: Session, operator_id: OperatorId, *, only_open: bool) -> list[Request]:
        """Return an operator's requests; the one to be answered first comes first."""
        return store.of_operator(session, operator_id, MOST_SHOWN, only_open=only_open)

    def clocks(self, session: Session, operator_id: OperatorId) -> Clocks:
        """Count an operator's open requests by their clocks."""
        return store.clocks(session, self._clock.now(), operator_id)

    def narrow(self, session: Session, granted: Granted, request_id: RequestId, places: Sequence[Place]) -> Request:
        """Say anew what a request is about. Raises RequestRefused, RequestIsClosed, NotFound."""
        before = self.find(session, granted.operator_id, request_id)
        self._refuse_strangers(session, granted.operator_id, places)
        made = taken(rules.narrow(before, places, self._now_us()))
        store.save(session, before, made)
        self.note(session, Tag.REQUEST_NARROWED, made, granted.principal.label, items=len(made.items))
        return made

    def identify(
        self, session: Session, granted: Granted, request_id: RequestId, state: IdentityState, doubt: Doubt | None
    ) -> Request:
        """Note what is known of who asks. Raises RequestRefused, RequestIsClosed, NotFound."""
        before = self.find(session, granted.operator_id, request_id)
        made = taken(rules.identify(before, state, doubt, self._clock.now()))
        store.save(session, before, made)
        self.note(
            session,
            Tag.REQUEST_IDENTITY_SET,
            made,
            granted.principal.label,
            str(state),
            doubt=str(doubt or ""),
            answer_by=made.answer_by.isoformat(),
        )
        return made

    def extend(
        self,
        session: Session,
        granted: Granted,
        request_id: RequestId,
        months: int,
        reason: WhyLonger,
        told_at: datetime,
    ) -> Request:
        """Take longer, once, and say when whoever asked was told. Raises RequestRefused, RequestIsClosed, NotFound."""
        before = self.find(session, granted.operator_id, request_id)
        made = taken(rules.extend(before, months, reason, told_at, self._clock.now()))
        store.save(session, before, made)
        self.note(
            session,
            Tag.REQUEST_EXTENDED,
            made,
            granted.principal.label,
            str(reason),
            months=months,
            answer_by=made.answer_by.isoformat(),
        )
        return made

    def contact(self, session: Session, granted: Granted, request_id: RequestId) -> str:
        """Open who asks, for whoever answers them; noted. Raises ContactIsForgotten, NotFound, WrapIsDamaged."""
        request = self.find(session, granted.operator_id, request_id)
        sealed, _ = store.sealed(session, request.id)
        if sealed is None:
            raise ContactIsForgotten("who has asked is not kept")
        self.note(session, Tag.REQUEST_CONTACT_SHOWN, request, granted.principal.label)
        return self._keyring.open(Purpose.REQUEST_CONTACT, sealed, _CONTACT + request.id.bytes).decode()

    def words(self, session: Session, request: Request) -> str:
        """Open what whoever asks is told in words; nothing if nothing was said. Raises WrapIsDamaged."""
        _, sealed = store.sealed(session, request.id)
        if sealed is None:
            return ""
        return self._keyring.open(Purpose.REQUEST_CONTACT, sealed, _WORDS + request.id.bytes).decode()

    def keep_words(self, session: Session, request: Request, words: str) -> None:
        """Keep what whoever asks is told in words, sealed."""
        sealed = self._keyring.seal(Purpose.REQUEST_CONTACT, words.encode(), _WORDS + request.id.bytes)
        store.seal_words(session, request.id, sealed)

    def forget(self, session: Session, request: Request, actor: str) -> None:
        """Forget who had asked; what was asked for, when, and how it ended stays."""
        store.forget(session, request.id, self._clock.now())
        self.note(session, Tag.REQUEST_FORGOTTEN, request, actor)

    def closed(self, session: Session, before: Request, made: Request, actor: str) -> None:
        """Keep a request that the rules have closed."""
        store.save(session, before, made)
        self.note(
            session,
            Tag.REQUEST_CLOSED,
            made,
            actor,
            str(made.outcome),
            was_overdue=(made.answered_at or made.answer_by) > made.answer_by,
            missed_promise=made.missed_promise(self._clock.now()),
        )
        # Last, when the database has taken everything: whoever puts an older one back learns what it has lost.
        self._write_journal(made, "closed", outcome=str(made.outcome))

    def note(
        self,
        session: Session,
        tag: Tag,
        request: Request,
        actor: str,
        reason: str = "",
        **detail: str | int | bool,
    ) -> None:
        """Note an act on a request in the audit."""
        told = {"request": str(request.id), "kind": str(request.kind), **detail}
        self._audit.note(
            session,
            Event(tag, self._clock.now(), actor, operator_id=request.operator_id, reason=reason, detail=told),
        )

    def _add(self, session: Session, granted: Granted, new: NewRequest) -> Request:
        now = self._clock.now()
        self._refuse_strangers(session, granted.operator_id, new.places)
        asked_at = now if new.identity is IdentityState.ASKED_FOR else None
        request = taken(
            rules.enter(
                Request(
                    id=RequestId(self._randomness.uuid()),
                    operator_id=granted.operator_id,
                    kind=new.kind,
                    channel=new.channel,
                    received_at=new.received_at,
                    entered_by=granted.principal.label,
                    entered_at=now,
                    identity=Identity(new.identity, new.doubt, asked_at),
                    items=tuple(Item(number, place) for number, place in enumerate(new.places, 1)),
                ),
                now,
                self._now_us(),
            )
        )
        if store.count_open(session, granted.operator_id) >= rules.MOST_OPEN:
            raise TooManyRequests(f"an operator has at most {rules.MOST_OPEN} requests open at once")
        store.add(session, request, self._sealed_contact(request, new.contact))
        self.note(
            session,
            Tag.REQUEST_RECEIVED,
            request,
            granted.principal.label,
            str(request.kind),
            channel=str(request.channel),
            received_at=request.received_at.isoformat(),
            promised_by=request.promised_by.isoformat(),
            items=len(request.items),
        )
        self._write_journal(request, "received")
        return request

    def _sealed_contact(self, request: Request, contact: str) -> bytes | None:
        if not contact.strip():
            return None
        return self._keyring.seal(Purpose.REQUEST_CONTACT, contact.encode(), _CONTACT + request.id.bytes)

    def _refuse_strangers(self, session: Session, operator_id: OperatorId, places: Sequence[Place]) -> None:
        cameras = self._resources.by_ids(session, {one.camera_id for one in places})
        for place in places:
            camera = cameras.get(place.camera_id)
            if camera is None or camera.operator_id != operator_id:
                raise NotFound

    def _write_journal(self, request: Request, act: str, **more: Fact) -> None:
        self._journal.append(
            JournalKind.REQUEST,
            {
                "act": act,
                "request": str(request.id),
                "operator": str(request.operator_id),
                "request_kind": str(request.kind),
                "received_at": request.received_at.isoformat(),
                "promised_by": request.promised_by.isoformat(),
                **more,
            },
        )

    def _now_us(self) -> int:
        return microseconds(self._clock.for_destroying())


def taken(made: Request | Refusal) -> Request:
    """Return what the rules have made of a request. Raises their refusal."""
    if isinstance(made, Refusal):
        raise made
    return made
