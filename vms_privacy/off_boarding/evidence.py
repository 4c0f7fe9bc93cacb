"""The receipts of an off-boarding: the one place that has them signed.

Everything that is destroyed of the operator and that no receipt tells of is told here, once all of it is: what its
mandates had destroyed in receipts of its own, what had expired before in one more. `footage.gone` finds them by the
mandates.
"""

from archive.receipts.service import NothingToTell, ReceiptService
from vms_privacy.db import Database
from vms_privacy.off_boarding.rules import OffBoarding


def sign_receipts(db: Database, receipts: ReceiptService, off_boarding: OffBoarding, actor: str) -> bool:
    """Sign receipts until nothing that was destroyed of the operator waits for one; say whether nothing does.

    What another node's clock says was destroyed in a moment that is to come here waits for that moment.

    Raises DestructionIsUnproven, KeyringUnavailable.
    """
    while True:
        try:
            with db.writing() as session:
                receipts.sign_now(session, off_boarding.operator_id, actor)
        except NothingToTell:
            with db.reading() as session:
                return receipts.is_all_told(session, off_boarding.operator_id)
