"""Creating and finding operators. Only platform admins create them; what is inside is none of theirs."""

from sqlalchemy.orm import Session

from auth.errors import NameIsReserved, NotFound
from auth.operators.rules import Operator, name_is_free_to_take
from auth.operators.store import OperatorStore
from auth.principal import Principal
from vms_privacy.audit.events import Event, Tag
from vms_privacy.audit.log import AuditLog
from vms_privacy.clock import Clock
from vms_privacy.ids import OperatorId, Randomness


class OperatorService:
    """Takes a session, never commits."""

    def __init__(self, audit: AuditLog, clock: Clock, randomness: Randomness) -> None:
        self._audit = audit
        self._clock = clock
        self._randomness = randomness
        self._operators = OperatorStore()

    def create(self, session: Session, actor: Principal, name: str, title: str) -> OperatorId:
        """Add an operator without people, cameras or rights. Raises NameIsReserved, NameIsTaken."""
        if not name_is_free_to_take(name):
            raise NameIsReserved
        now = self._clock.now()
        operator = Operator(OperatorId(self._randomness.uuid()), name, title, now)
        self._operators.add(session, operator)
        self._audit.note(session, Event(Tag.OPERATOR_CREATED, now, actor.label, operator_id=operator.id))
        return operator.id

    def by_id(self, session: Session, operator_id: OperatorId) -> Operator:
        """Return an operator. Raises NotFound."""
        operator = self._operators.by_id(session, operator_id)
        if operator is None:
            raise NotFound
        return operator

    def listing(self, session: Session, after: str = "", limit: int = 100) -> list[Operator]:
        """Return operators by name, from behind the name `after`."""
        return self._operators.listing(session, after, limit)
