"""What an operator is, and the names it cannot have."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from vms_privacy.ids import OperatorId

# First segments of our own paths: an operator of that name would hide them, or be hidden by them.
RESERVED_NAMES: Final = frozenset(
    {
        "api",
        "auth",
        "console",
        "docs",
        "healthz",
        "internal",
        "metrics",
        "problems",
        "readyz",
        "static",
        "streamer",
        "vsaas",
        "watcher",
    }
)
_CLOSED: Final = "closed-"


@dataclass(frozen=True, slots=True)
class Operator:
    """One customer. `title` is for people; `name` is the first segment of its streaming URLs.

    Of one that leaves nothing new is recorded, registered or given away; of one that is closed nothing is left.
    """

    id: OperatorId
    name: str
    title: str
    created_at: datetime
    leaving_since: datetime | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions in which this installation has a store; `first` is that of the store every installation has."""

    first: str
    served: frozenset[str]

    def has(self, region: str) -> bool:
        """Say whether footage may be promised to go there."""
        return region in self.served


def name_is_free_to_take(name: str) -> bool:
    """Say whether a well-formed name may be an operator's at all."""
    return name not in RESERVED_NAMES and not name.startswith(_CLOSED)


def closed_name(operator_id: OperatorId) -> str:
    """Return what an operator is called of which nothing is left: nobody else ever is."""
    return f"{_CLOSED}{operator_id.hex}"
