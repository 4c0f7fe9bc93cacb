"""To which store an operator's next file goes, and the refusal to start without a store that is needed."""

from collections.abc import Collection, Container, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from archive.blobs.rules import Elsewhere, judge_region
from archive.errors import NoStoreForRegion
from archive.segments.rules import State
from archive.segments.tables import SegmentAheadRow, SegmentRow
from auth.operators.store import OperatorStore
from vms_privacy.ids import OperatorId


class RegionStores:
    """Knows the one store of each region."""

    def __init__(self, stores: Mapping[str, str]) -> None:
        """Take the name of the store of each region."""
        self._stores = dict(stores)

    def store_for(self, session: Session, operator_id: OperatorId) -> str | None:
        """Return the store for a file that begins now; None where the operator's region has none: there is no other."""
        verdict = judge_region(OperatorStore().region_of(session, operator_id), self._stores)
        return None if isinstance(verdict, Elsewhere) else self._stores[verdict.region]


def refuse_without_stores(session: Session, regions: Container[str], stores: Collection[str]) -> None:
    """Refuse to start where a promised region has no store, or footage lies in a store that is not set up.

    Raises NoStoreForRegion.
    """
    lacking = sorted(one for one in OperatorStore().promised_regions(session) if one not in regions)
    if lacking:
        raise NoStoreForRegion(f"there is no store in the region {lacking[0]}, to which an operator's footage goes")
    lies = select(SegmentRow.store).where(SegmentRow.store.not_in(stores), SegmentRow.state != State.ERASED).limit(1)
    waits = select(SegmentAheadRow.store).where(SegmentAheadRow.store.not_in(stores)).limit(1)
    missing = session.scalar(lies) or session.scalar(waits)
    if missing is not None:
        raise NoStoreForRegion(f"the store {missing} is not set up, and there is footage in it")
