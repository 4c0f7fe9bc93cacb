"""The parts that let an operator leave."""

from functools import cached_property

from vms_privacy.app.requests import RequestParts
from vms_privacy.off_boarding.listing import ManifestMaker
from vms_privacy.off_boarding.rounds import OffBoardingRounds, Rooms
from vms_privacy.off_boarding.service import OffBoardingService


class LeavingParts(RequestParts):
    """What lists everything of an operator, and destroys it, with its keys."""

    @cached_property
    def off_boardings(self) -> OffBoardingService:
        return OffBoardingService(
            self.audit,
            self.journal,
            self.clock,
            self.randomness,
            self.approvals,
            self.ledger,
            self.mandates,
            self.retention_terms,
        )

    @cached_property
    def manifest_maker(self) -> ManifestMaker:
        return ManifestMaker(
            self.db, self.settings.spool, self.store, self.keyring, self.audit, self.clock, self.installation_id
        )

    @cached_property
    def off_boarding_rounds(self) -> OffBoardingRounds:
        return OffBoardingRounds(
            self.db,
            self.journal,
            self.audit,
            self.clock,
            Rooms(
                self.ledger,
                self.cameras,
                self.buckets,
                self.receipts,
                self.grants,
                self.people,
            ),
        )
