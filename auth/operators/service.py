"""Creating and finding operators. Only platform admins create them; what is inside is none of theirs."""

from collections.abc import Collection

from sqlalchemy.orm import Session

from auth.errors import NameIsReserved, NotFound, RegionIsNotServed
from auth.operators.rules import Operator, Regions, name_is_free_to_take
from auth.operators.store import OperatorStore
from auth.principal import Principal
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.ids import OperatorId, Randomness


class OperatorService:
    """Takes a session, never commits."""

    def __init__(self, audit: AuditLog, clock: Clock, randomness: Randomness, regions: Regions) -> None:
        self._audit = audit
        self._clock = clock
        self._randomness = randomness
        self._regions = regions
        self._operators = OperatorStore()

    def create(
        self, session: Session, actor: Principal, name: str, title: str, region: str | None = None
    ) -> OperatorId:
        """Add an operator without people, cameras or rights; without a region its footage goes to the first one.

        Raises NameIsReserved, NameIsTaken, RegionIsNotServed.
        """
        if not name_is_free_to_take(name):
            raise NameIsReserved
        region = self._regions.first if region is None else region
        if not self._regions.has(region):
            raise RegionIsNotServed
        now = self._clock.now()
        operator = Operator(OperatorId(self._randomness.uuid()), name, title, now)
        self._operators.add(session, operator)
        self._audit.note(session, Event(Tag.OPERATOR_CREATED, now, actor.label, operator_id=operator.id))
        self._set_region(session, operator.id, region, actor.label)
        return operator.id

    def set_region(self, session: Session, actor: Principal, operator_id: OperatorId, region: str) -> None:
        """Have an operator's footage go to another region from the next file on; what is there stays where it is.

        Each time it is said it is written down. Raises NotFound, RegionIsNotServed.
        """
        self.by_id(session, operator_id)
        if not self._regions.has(region):
            raise RegionIsNotServed
        self._set_region(session, operator_id, region, actor.label)

    def settle_regions(self, session: Session, actor: str) -> int:
        """Write down where the footage of those goes who were there before regions were; return how many."""
        found = self._operators.without_a_region(session)
        for operator_id in found:
            self._set_region(session, operator_id, self._regions.first, actor)
        return len(found)

    def region_of(self, session: Session, operator_id: OperatorId) -> str | None:
        """Return where this operator's footage goes from now on."""
        return self._operators.region_of(session, operator_id)

    def regions_of(self, session: Session, operators: Collection[OperatorId]) -> dict[OperatorId, str]:
        """Return where the footage of each of them goes from now on."""
        return self._operators.regions_of(session, operators)

    def by_id(self, session: Session, operator_id: OperatorId) -> Operator:
        """Return an operator. Raises NotFound."""
        operator = self._operators.by_id(session, operator_id)
        if operator is None:
            raise NotFound
        return operator

    def listing(self, session: Session, after: str = "", limit: int = 100) -> list[Operator]:
        """Return operators by name, from behind the name `after`."""
        return self._operators.listing(session, after, limit)

    def _set_region(self, session: Session, operator_id: OperatorId, region: str, actor: str) -> None:
        now = self._clock.now()
        self._operators.set_region(session, self._randomness, operator_id, region, actor, now)
        detail: dict[str, str | int | bool | None] = {"region": region}
        self._audit.note(session, Event(Tag.OPERATOR_REGION_SET, now, actor, operator_id=operator_id, detail=detail))
