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


@dataclass(frozen=True, slots=True)
class Operator:
    """One customer. `title` is for people; `name` is the first segment of its streaming URLs."""

    id: OperatorId
    name: str
    title: str
    created_at: datetime


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
    return name not in RESERVED_NAMES
