"""A broken part that shows where requests are entered."""

from dataclasses import replace
from functools import cached_property

from sqlalchemy.orm import Session

from auth.principal import Granted
from vms_privacy.app import Assembly
from vms_privacy.subject_requests.request import Request
from vms_privacy.subject_requests.service import NewRequest, RequestService


class ClockFromTheEntry(Assembly):
    """A request's clock runs from when it was entered, and not from when it was received."""

    @cached_property
    def requests(self) -> RequestService:
        return _LateClock(self.audit, self.journal, self.clock, self.randomness, self.keyring)


class _LateClock(RequestService):
    def enter(self, session: Session, granted: Granted, new: NewRequest) -> Request:
        return super().enter(session, granted, replace(new, received_at=self._clock.now()))
