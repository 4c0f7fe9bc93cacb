"""What every camera's recorder uses, and how it says that a segment may not begin."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from sqlalchemy.orm import Session

from archive.format.sealed_file import SealedWriter
from archive.keys.wrap import SegmentKeys
from archive.recorder.rules import Why
from archive.recorder.standing import Policies
from vms_privacy.clock import Clock
from vms_privacy.consent.ledger import ConsentLedger
from vms_privacy.db import Database
from vms_privacy.errors import Kind, Refusal
from vms_privacy.ids import OperatorId, Randomness


@dataclass(frozen=True, slots=True)
class Tools:
    """What every camera's recorder uses.

    `store_for` names the store that an operator's next file is for; None where its region has none.
    """

    db: Database
    ledger: ConsentLedger
    policies: Policies
    keys: SegmentKeys
    clock: Clock
    randomness: Randomness
    spool: Path
    name_blob: Callable[[], str]
    store_for: Callable[[Session, OperatorId], str | None]
    new_writer: type[SealedWriter] = SealedWriter


class NotBegun(Refusal):
    """The segment was not begun, and nothing of it exists. `why` says what stood against it."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "segment-not-begun"

    def __init__(self, why: Why) -> None:
        super().__init__("the segment may not begin")
        self.why = why
