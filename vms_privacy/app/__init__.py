"""Joining the parts. This is the only place where they meet; nothing is made before it is asked for.

Each part is one property, so that a story can replace exactly one of them by another real object. Each room's parts
stand on those of the rooms below it.
"""

from vms_privacy.app.archive import make_store
from vms_privacy.app.leaving import LeavingParts
from vms_privacy.app.streams import TAP_BYTES


class Assembly(LeavingParts):
    """One service's parts, each made when it is first asked for."""


__all__ = ["TAP_BYTES", "Assembly", "make_store"]
