"""The receipts of an off-boarding: the one place that has them signed.

Everything that is destroyed of the operator and that no receipt tells of is told here, once all of it is: what its
mandates had destroyed in receipts of its own, what had expired before in one more. `footage.gone` finds them by the
mandates.
"""

from archive.receipts.service import NothingToTell, ReceiptService
from vms_privacy.db import Database
from vms_privacy.ids import ReceiptId
from vms_privacy.off_boarding.rules import OffBoarding


def sign_receipts(db: Database, receipts: ReceiptService, off_boarding: OffBoarding, actor: str) -> list[ReceiptId]:
    """Sign receipts until nothing that was destroyed of the operator waits for one; each in a transaction of its own.

    Raises DestructionIsUnproven, KeyringUnavailable.
    """
    signed: list[ReceiptId] = []
    while True:
        try:
            with db.writing() as session:
                signed += receipts.sign_now(session, off_boarding.operator_id, actor)
        except NothingToTell:
            return signed
