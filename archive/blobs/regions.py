"""Which store an operator's footage may go to: the one of the region it was promised, and no other.

Promise: there is no default. An operator without a region, or of a region without a store, has no store, and without a
store nothing is recorded. What lies in one region is never moved to another.
"""

from collections.abc import Callable, Mapping

from archive.blobs.rules import Elsewhere, judge_region
from archive.blobs.store import BlobStore
from archive.errors import NoStoreForRegion
from vms_privacy.ids import OperatorId


class StoreRouter:
    """Leads to the store of an operator's region. Thread-safe if `region_of` is; asks it every time."""

    def __init__(self, stores: Mapping[str, BlobStore], region_of: Callable[[OperatorId], str | None]) -> None:
        """Take one store for each region. Raises ValueError for a region without a name, or a store of two regions."""
        if not all(stores) or len({id(store) for store in stores.values()}) < len(stores):
            raise ValueError("each region has a name, and a store of its own")
        self._stores = dict(stores)
        self._region_of = region_of

    def store_of(self, operator_id: OperatorId) -> BlobStore:
        """Return the store for this operator's footage. Raises NoStoreForRegion, and then nothing is recorded."""
        verdict = judge_region(self._region_of(operator_id), self._stores.keys())
        if isinstance(verdict, Elsewhere):
            raise NoStoreForRegion(verdict.why)
        return self._stores[verdict.region]

    def stores(self) -> Mapping[str, BlobStore]:
        """Return every store by its region: for whoever accounts for all that is stored."""
        return dict(self._stores)
