"""The broken part that shows where an operator leaves."""

from collections.abc import Mapping, Sequence
from functools import cached_property

from sqlalchemy.orm import Session

from archive.mandates.service import MandateService
from archive.segments.rules import Span
from vms_privacy.app import Assembly
from vms_privacy.approvals.rules import Approved
from vms_privacy.ids import CameraId


class CameraIsForgotten(Assembly):
    """An off-boarding forgets one camera: the first that has something."""

    @cached_property
    def mandates(self) -> MandateService:
        return _ForgetfulMandates(
            self.audit, self.journal, self.clock, self.randomness, self.approvals, self.edges, self.retention_terms
        )


class _ForgetfulMandates(MandateService):
    def place_for_off_boarding(
        self, session: Session, approved: Approved, wanted: Mapping[CameraId, Sequence[Span]], reference: str
    ) -> int:
        remembered = dict(list(wanted.items())[1:])
        return super().place_for_off_boarding(session, approved, remembered, reference)
