"""Placing, reviewing and lifting holds and restrictions."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from archive.orders import store
from archive.orders.errors import OrderIsLifted, OrderRefused, TooManyOrders
from archive.orders.rules import (
    MOST_IN_FORCE,
    MOST_PEOPLE,
    Covered,
    Flaw,
    NewOrder,
    Order,
    OrderKind,
    flaw_of,
    flaw_of_review,
)
from archive.segments.rules import Span
from auth.errors import NotFound
from auth.identities.store import PersonStore
from auth.principal import Granted, Right
from auth.tokens.rules import microseconds
from vms_privacy.approvals.rules import Act, Approved, Fact, Proposal
from vms_privacy.approvals.service import Approvals, Wanted
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.db import after_commit
from vms_privacy.ids import CameraId, OperatorId, OrderId, PersonId, Randomness
from vms_privacy.journal.journal import Journal
from vms_privacy.journal.rules import JournalKind

MOST_SHOWN: Final = 5000
RIGHT_FOR: Final = {OrderKind.HOLD: Right.HOLD, OrderKind.RESTRICTION: Right.RESTRICT}
LIFT_FOR: Final = {OrderKind.HOLD: Act.LIFT_HOLD, OrderKind.RESTRICTION: Act.LIFT_RESTRICTION}
_JOURNAL: Final = {OrderKind.HOLD: JournalKind.HOLD, OrderKind.RESTRICTION: JournalKind.RESTRICTION}


@dataclass(frozen=True, slots=True)
class Placed:
    """An order, and what it met when it was placed."""

    order: Order
    covered: Covered


class OrderService:
    """The only writer of orders. Each act is in the custody journal before it is answered, and in the audit.

    Listeners hear of a camera whose orders changed once that is durable, in the committing thread;
    `listener_failures` counts those that raised.
    """

    def __init__(
        self, audit: AuditLog, journal: Journal, clock: Clock, randomness: Randomness, approvals: Approvals
    ) -> None:
        self._audit = audit
        self._journal = journal
        self._clock = clock
        self._randomness = randomness
        self._approvals = approvals
        self._people = PersonStore()
        self._listeners: list[Callable[[CameraId], None]] = []
        self.listener_failures = 0
        for act in LIFT_FOR.values():
            approvals.carry_out_with(act, self._lift)

    def on_change(self, listener: Callable[[CameraId], None]) -> None:
        """Call `listener` with the camera after each order that was placed or lifted."""
        self._listeners.append(listener)

    def place(self, session: Session, granted: Granted, new: NewOrder) -> Placed:
        """Place an order: from the commit on nothing it covers is destroyed.

        Raises OrderRefused, TooManyOrders, NotFound for people who are not of this operator.
        """
        now, now_us = self._clock.now(), microseconds(self._clock.for_destroying())
        covered = store.covered(session, new.camera_id, Span(new.from_us, max(new.until_us, new.from_us + 1)), now_us)
        _refuse(flaw_of(new, covered, now, now_us))
        if store.count_in_force(session, new.camera_id) >= MOST_IN_FORCE:
            raise TooManyOrders(f"a camera has at most {MOST_IN_FORCE} holds and restrictions at once")
        self._refuse_strangers(session, granted.operator_id, new.people)
        order = Order(
            id=OrderId(self._randomness.uuid()),
            operator_id=granted.operator_id,
            kind=new.kind,
            camera_id=new.camera_id,
            from_us=new.from_us,
            until_us=new.until_us,
            case=new.case.strip(),
            ground=new.ground,
            authority=new.authority.strip(),
            reason=new.reason.strip(),
            placed_by=granted.principal.label,
            placed_at=now,
            review_at=new.review_at,
            people=new.people,
        )
        store.add(session, order, self._randomness)
        detail = {"segments": covered.segments, "too_late": covered.too_late, "people": len(order.people)}
        self._note(session, Tag.ORDER_PLACED, order, granted.principal.label, **detail)
        # Last, when the database has taken everything: a restored older database must not lose the order.
        self._write_journal(order, "placed")
        self._tell_after(session, order.camera_id)
        return Placed(order, covered)

    def review(self, session: Session, granted: Granted, kind: OrderKind, order_id: OrderId, at: datetime) -> Order:
        """Note that somebody has looked at an order, and when the next one is due. Raises OrderRefused, NotFound."""
        order = self._theirs_in_force(session, granted, kind, order_id)
        _refuse(flaw_of_review(at, self._clock.now()))
        store.set_review(session, order.id, at)
        was_overdue = order.is_overdue(self._clock.now())
        self._note(session, Tag.ORDER_REVIEWED, order, granted.principal.label, was_overdue=was_overdue)
        return self._again(session, order)

    def set_people(self, session: Session, granted: Granted, order_id: OrderId, people: Collection[PersonId]) -> Order:
        """Say anew for whom a hold opens what has expired. Raises OrderRefused, NotFound."""
        order = self._theirs_in_force(session, granted, OrderKind.HOLD, order_id)
        wanted = frozenset(people)
        if len(wanted) > MOST_PEOPLE:
            raise OrderRefused(f"a case has at most {MOST_PEOPLE} people", rule="too-many-people")
        added, gone = wanted - order.people, order.people - wanted
        self._refuse_strangers(session, granted.operator_id, added)
        by, now = granted.principal.label, self._clock.now()
        store.take_off(session, order.id, gone, by, now)
        store.add_people(session, order.id, added, by, now, self._randomness)
        for person_id in sorted(added | gone):
            self._note(session, Tag.ORDER_PEOPLE_SET, order, by, person=str(person_id), is_added=person_id in added)
        self._tell_after(session, order.camera_id)
        return self._again(session, order)

    def propose_lifting(
        self,
        session: Session,
        granted: Granted,
        kind: OrderKind,
        order_id: OrderId,
        reason: str,
        told_at: datetime | None = None,
    ) -> Proposal:
        """Propose the end of an order; it lasts until another person approves.

        `told_at`: of a restriction, when whoever had asked for it was told that it ends (GDPR, Article 18(3)). Raises
        OrderRefused, OrderIsLifted, NotFound.
        """
        order = self._theirs_in_force(session, granted, kind, order_id)
        if not reason.strip():
            raise OrderRefused("say in words why it ends", rule="reason-is-blank")
        facts: dict[str, Fact] = {"order": str(order.id), "case": order.case}
        if kind is OrderKind.RESTRICTION:
            if told_at is None or not order.placed_at <= told_at <= self._clock.now():
                raise OrderRefused("tell whoever asked for it first, and say when that was", rule="requester-not-told")
            facts |= {"requester_told_at": told_at.isoformat()}
        return self._approvals.propose(
            session,
            Wanted(
                operator_id=order.operator_id,
                camera_id=order.camera_id,
                act=LIFT_FOR[kind],
                right=str(RIGHT_FOR[kind]),
                facts=facts,
                reason=reason.strip(),
                proposed_by=granted.principal.label,
            ),
        )

    def of_camera(self, session: Session, camera_id: CameraId, kind: OrderKind) -> list[Order]:
        """Return every order of a kind over a camera, lifted ones too, newest first."""
        return store.of_camera(session, camera_id, kind)

    def of_operator(self, session: Session, operator_id: OperatorId, *, only_in_force: bool) -> list[Order]:
        """Return an operator's orders, newest first."""
        return store.of_operator(session, operator_id, only_in_force=only_in_force, most=MOST_SHOWN)

    def covered(self, session: Session, order: Order) -> Covered:
        """Return what an order meets now."""
        now_us = microseconds(self._clock.for_destroying())
        return store.covered(session, order.camera_id, Span(order.from_us, order.until_us), now_us)

    def _lift(self, session: Session, approved: Approved) -> None:
        """Carry out an approved end; what it kept is for the next sweep."""
        proposal = approved.proposal
        order = store.by_id(session, OrderId(UUID(str(proposal.facts["order"]))))
        if order is None or not order.is_in_force:
            raise OrderIsLifted("somebody has lifted it in the meantime")
        store.lift(session, order.id, proposal.proposed_by, approved.second, approved.at)
        expired = self.covered(session, order).expired
        self._note(
            session,
            Tag.ORDER_LIFTED,
            order,
            approved.second,
            proposed_by=proposal.proposed_by,
            proposal=str(proposal.id),
            left_to_the_sweep=expired,
        )
        # Once it is durable, unlike all else: a journal that tells of an end that failed would lift it in a restore.
        after_commit(session, lambda: self._write_journal(order, "lifted"))
        self._tell_after(session, order.camera_id)

    def _theirs_in_force(self, session: Session, granted: Granted, kind: OrderKind, order_id: OrderId) -> Order:
        order = store.by_id(session, order_id)
        if order is None or order.kind is not kind or order.camera_id != granted.camera_id:
            raise NotFound
        if not order.is_in_force:
            raise OrderIsLifted("it was lifted before; place another one if it is needed again")
        return order

    def _again(self, session: Session, order: Order) -> Order:
        found = store.by_id(session, order.id)
        if found is None:
            raise NotFound
        return found

    def _refuse_strangers(self, session: Session, operator_id: OperatorId, people: Collection[PersonId]) -> None:
        for person_id in people:
            person = self._people.by_id(session, person_id)
            if person is None or person.operator_id != operator_id or person.disabled_at is not None:
                raise NotFound

    def _write_journal(self, order: Order, act: str) -> None:
        self._journal.append(_JOURNAL[order.kind], order.journal_facts(act))

    def _note(self, session: Session, tag: Tag, order: Order, actor: str, **detail: str | int | bool) -> None:
        self._audit.note(
            session,
            Event(
                tag,
                self._clock.now(),
                actor,
                operator_id=order.operator_id,
                camera_id=order.camera_id,
                reason=str(order.ground),
                detail={"order": str(order.id), "kind": str(order.kind), **detail},
            ),
        )

    def _tell_after(self, session: Session, camera_id: CameraId) -> None:
        after_commit(session, lambda: self._tell(camera_id))

    def _tell(self, camera_id: CameraId) -> None:
        for listener in self._listeners:
            try:
                listener(camera_id)
            except Exception:  # noqa: BLE001 - the order is committed; one deaf listener must not silence the others
                self.listener_failures += 1


def _refuse(flaw: Flaw | None) -> None:
    if flaw is not None:
        raise OrderRefused(flaw.why, rule=flaw.rule)
