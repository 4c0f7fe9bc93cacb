"""The parts that keep what people have asked about footage, and see to it that it is answered."""

from functools import cached_property

from archive.explain.service import Explainer
from vms_privacy.app.archive import ArchiveParts
from vms_privacy.subject_requests.answering import RequestAnswers
from vms_privacy.subject_requests.care import RequestCare
from vms_privacy.subject_requests.deciding import RequestDecisions
from vms_privacy.subject_requests.following import RequestFollower
from vms_privacy.subject_requests.service import RequestService
from vms_privacy.subject_requests.withdrawing import ErasingWithdrawals


class RequestParts(ArchiveParts):
    """What was asked, what was decided, and until when there has to be an answer."""

    @cached_property
    def requests(self) -> RequestService:
        return RequestService(self.audit, self.journal, self.clock, self.randomness, self.keyring)

    @cached_property
    def explainer(self) -> Explainer:
        return Explainer(self.ledger, self.requests, self.clock, self.settings.sweep_every)

    @cached_property
    def request_follower(self) -> RequestFollower:
        return RequestFollower(self.approvals, self.mandates, self.clock)

    @cached_property
    def request_decisions(self) -> RequestDecisions:
        return RequestDecisions(
            self.requests, self.request_follower, self.mandates, self.orders, self.retention_terms, self.clock
        )

    @cached_property
    def request_answers(self) -> RequestAnswers:
        return RequestAnswers(self.requests, self.request_follower, self.operators, self.clock)

    @cached_property
    def request_care(self) -> RequestCare:
        return RequestCare(self.db, self.requests, self.request_follower, self.clock)

    @cached_property
    def erasing_withdrawals(self) -> ErasingWithdrawals:
        return ErasingWithdrawals(self.ledger, self.requests, self.request_decisions)
