"""Refusals of the audit."""

from typing import ClassVar

from vms_privacy.errors import Kind, Refusal


class ChainIsBroken(Refusal):
    """Chain and anchor do not agree; nothing is sealed or signed on top of it. `vms-privacy verify` says where."""

    kind: ClassVar[Kind] = Kind.DAMAGED
    code: ClassVar[str] = "audit-chain-is-broken"


class AnchorUnavailable(Refusal):
    """The anchor cannot be read or written; sealing goes on, checkpoints wait."""

    kind: ClassVar[Kind] = Kind.UNAVAILABLE
    code: ClassVar[str] = "audit-anchor-unavailable"
