"""The receipts of an off-boarding: the one place that has them signed.

Everything that is destroyed of the operator and that no receipt tells of is told here, once all of it is. What the
hourly round has told of before is in its receipts; `footage.gone` finds all of them by the mandates.
"""

from archive.receipts.service import NothingToTell, ReceiptService
from vms_privacy.db import Database
from vms_privacy.ids import ReceiptId
from vms_privacy.off_boarding.rules import OffBoarding


def sign_receipts(db: Database, receipts: ReceiptService, off_boarding: OffBoarding, actor: str) -> list[ReceiptId]:
    """Sign receipts until nothing that was destroyed of the operator waits for one; each in a transaction of its own.

    Raises DestructionIsUnproven, KeyringUnavailable.
    """
    signed = []
    while True:
        try:
            with db.writing() as session:
                signed.append(receipts.sign_now(session, off_boarding.operator_id, actor))
        except NothingToTell:
            return signed
