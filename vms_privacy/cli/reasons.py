"""Codes that are shown to people and stand for no refusal: verdicts on receipts, and reasons in audit and status."""

from dataclasses import dataclass
from typing import Final

from vms_privacy.cli.output import FOUND_WRONG

RECEIPT: Final = "receipt verdict"
GATE: Final = "reason of a refusal"
DEBT: Final = "reason of deletion debt"
_AGAIN: Final = "fetch it again: `vms-privacy receipt fetch ID --to FILE`; if it stays, somebody changed it"
_BY_ITSELF: Final = "nothing has to be done: the next sweep tries again; if it stays, look at the service's log"
_ASK_FOR_IT: Final = "with a reason for it, ask whoever gives rights here: `vms-privacy operator grant`"


@dataclass(frozen=True, slots=True)
class Reason:
    """One such code. `exit_code` is that of the command that ends with it; None where none does."""

    code: str
    kind: str
    meaning: str
    next: str
    exit_code: int | None = None


REASONS: Final = (
    Reason("not-a-receipt", RECEIPT, "The file is no receipt of version 1.", _AGAIN, FOUND_WRONG),
    Reason("receipt-cut", RECEIPT, "The receipt has no signature line.", _AGAIN, FOUND_WRONG),
    Reason(
        "receipt-leaves",
        RECEIPT,
        "What it tells of is not what was signed: changed, added or cut.",
        _AGAIN,
        FOUND_WRONG,
    ),
    Reason("receipt-not-canonical", RECEIPT, "A line is not in its one form.", _AGAIN, FOUND_WRONG),
    Reason(
        "receipt-signature",
        RECEIPT,
        "The signature is not of any of the keys: changed, or of another installation.",
        "look whether the keys are that installation's: `vms-privacy receipt keys --to KEYS`",
        FOUND_WRONG,
    ),
    Reason("receipt-too-large", RECEIPT, "No receipt is so large.", "look whether it is a receipt", FOUND_WRONG),
    Reason("nobody-asks", GATE, "Nobody was logged in.", "log in: `vms-privacy operator log-in`"),
    Reason("not-a-person", GATE, "A token or a link asked for what is a person's to do.", "do it logged in"),
    Reason("no-such-thing", GATE, "There was nothing by that id.", "look at the spelling"),
    Reason("other-operator", GATE, "It is another operator's.", "nothing can be done: operators cannot see each other"),
    Reason("no-grant", GATE, "Whoever asked had no right over it at all.", _ASK_FOR_IT),
    Reason("right-is-missing", GATE, "Whoever asked had rights over it, but not this one.", _ASK_FOR_IT),
    Reason("camera-is-removed", GATE, "The camera was removed.", "its recordings are there while they are kept"),
    Reason("outside-the-window", GATE, "The right was not in force at that moment, or not for that time.", _ASK_FOR_IT),
    Reason("not-begun", DEBT, "It has expired, and its destruction was not begun yet.", _BY_ITSELF),
    Reason("under-way", DEBT, "Its destruction has begun and is not done.", _BY_ITSELF),
    Reason("still-open", DEBT, "The segment is still being written.", _BY_ITSELF),
    Reason(
        "time-in-doubt",
        DEBT,
        "Nothing is destroyed by a time that is in doubt.",
        "as a platform admin: `vms-privacy clock show`",
    ),
)
