"""Refusals of `archive.orders`."""

from typing import ClassVar

from vms_privacy.errors import Kind, Refusal


class OrderRefused(Refusal):
    """A hold or a restriction cannot be placed or changed like that; `rule` says which rule it breaks."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "order-refused"


class OrderIsLifted(Refusal):
    """The hold or restriction was lifted before; an order never comes back, another one is placed."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "order-is-lifted"


class TooManyOrders(Refusal):
    """The camera has all the holds and restrictions in force that it may have at once."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "too-many-orders"
