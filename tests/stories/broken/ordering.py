"""Broken parts that show where orders are placed and heard of."""

from functools import cached_property

from sqlalchemy.orm import Session

from archive.orders.rules import NewOrder, OrderKind
from archive.orders.service import OrderService, Placed
from archive.orders.standing import LiveRestrictions
from auth.principal import Granted
from vms_privacy.app import Assembly


class HoldIsForgotten(Assembly):
    """A hold is answered as if it were placed, and is not."""

    @cached_property
    def orders(self) -> OrderService:
        return _ForgetfulOrders(self.audit, self.journal, self.clock, self.randomness, self.approvals)


class _ForgetfulOrders(OrderService):
    def place(self, session: Session, granted: Granted, new: NewOrder) -> Placed:
        if new.kind is OrderKind.RESTRICTION:
            return super().place(session, granted, new)
        nested = session.begin_nested()
        placed = super().place(session, granted, new)
        nested.rollback()
        return placed


class RestrictionIsUnheard(Assembly):
    """Restrictions are kept, and whoever delivers live pictures never hears of them."""

    @cached_property
    def live_restrictions(self) -> LiveRestrictions:
        def nothing(_: object) -> None:
            self.revocation.hear_restrictions({})

        return LiveRestrictions(self.db, nothing, self.sessions.hear_camera, lambda _: None)
