"""Codes that are shown to people and stand for no refusal: verdicts on receipts, and reasons in audit and status."""

from dataclasses import dataclass
from typing import Final

from vms_privacy.cli.output import FOUND_WRONG

RECEIPT: Final = "receipt verdict"
KEYS: Final = "key history verdict"
SUMMARY: Final = "summary verdict"
MANIFEST: Final = "manifest verdict"
GATE: Final = "reason of a refusal"
DEBT: Final = "reason of deletion debt"
_AGAIN: Final = "fetch it again: `vms-privacy receipt fetch ID --to FILE`; if it stays, somebody changed it"
_KEYS: Final = "look whether the keys are that installation's, and of today: `vms-privacy receipt keys --to KEYS`"
_KEYS_AGAIN: Final = "fetch them again: `vms-privacy receipt keys --to KEYS`; if it stays, somebody changed them"
_SUMMARY_AGAIN: Final = (
    "fetch it again: `vms-privacy receipt summary MONTH --to FILE`; if it stays, somebody changed it"
)
_RECEIPTS_AGAIN: Final = (
    "fetch them again: `vms-privacy receipt fetch ID --to FILE`; one signed late stands in the next summary"
)
_MANIFEST_AGAIN: Final = "fetch it again: `vms-privacy off-boarding fetch --to FILE`; if it stays, somebody changed it"
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
        "receipt-of-another-installation",
        RECEIPT,
        "The receipt names another installation than the key history.",
        _KEYS,
        FOUND_WRONG,
    ),
    Reason(
        "receipt-unknown-key",
        RECEIPT,
        "It is signed with a key that was never this installation's, or that is newer than the key history.",
        _KEYS,
        FOUND_WRONG,
    ),
    Reason("receipt-signature", RECEIPT, "The signature does not fit what it stands under.", _AGAIN, FOUND_WRONG),
    Reason("receipt-too-large", RECEIPT, "No receipt is so large.", "look whether it is a receipt", FOUND_WRONG),
    *(
        Reason(f"receipt-keys-{code}", KEYS, meaning, _KEYS_AGAIN, FOUND_WRONG)
        for code, meaning in (
            ("cut", "The key history has no signature line."),
            ("too-large", "No key history is so large."),
            ("not-canonical", "A line is not in its one form."),
            ("disagree", "The keys are not one run of versions with one in use, the newest."),
            ("signature", "It is not signed by the key that it calls active."),
            ("handover", "A key has not signed the one that is said to follow it."),
            ("not-pinned", "No unbroken handing over leads from the key of that fingerprint to the newest."),
        )
    ),
    Reason("not-a-summary", SUMMARY, "The file is no monthly summary of version 1.", _SUMMARY_AGAIN, FOUND_WRONG),
    *(
        Reason(f"summary-{code}", SUMMARY, meaning, _SUMMARY_AGAIN, FOUND_WRONG)
        for code, meaning in (
            ("cut", "The summary has no signature line."),
            ("too-large", "No summary is so large."),
            ("not-canonical", "A line is not in its one form."),
            ("of-another-installation", "The summary names another installation than the key history."),
            ("unknown-key", "It is signed with a key that was never this installation's, or that is newer."),
            ("signature", "The signature does not fit what it stands under."),
            ("sums", "Its numbers do not agree with each other, or with its receipts."),
            ("previous", "It is not the summary that follows the one it was compared with."),
        )
    ),
    *(
        Reason(f"summary-receipt-{code}", SUMMARY, meaning, _RECEIPTS_AGAIN, FOUND_WRONG)
        for code, meaning in (
            ("missing", "A receipt that it lists is not there."),
            ("unlisted", "A receipt of its month is there that it does not list."),
            ("differs", "A receipt is there under an id that it lists, and is another one."),
            ("unusable", "What lies beside it is an extract, or no receipt that holds."),
        )
    ),
    Reason("not-a-manifest", MANIFEST, "The file is no manifest of version 1.", _MANIFEST_AGAIN, FOUND_WRONG),
    *(
        Reason(f"manifest-{code}", MANIFEST, meaning, _MANIFEST_AGAIN, FOUND_WRONG)
        for code, meaning in (
            ("cut", "The manifest has no signature line."),
            ("too-large", "No manifest begins with so long a line."),
            ("not-canonical", "A line is not in its one form, or not in its place."),
            ("of-another-installation", "The manifest names another installation than the key history."),
            (
                "unknown-key",
                "It is signed with a key that was never this installation's, or is newer than the history.",
            ),
            ("signature", "The signature does not fit what it stands under."),
            ("lines", "What it lists is not what was signed: changed, added or cut."),
        )
    ),
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
