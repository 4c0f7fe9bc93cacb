"""What the ledger's heads say, asked for all cameras at once: their fragments come within the same milliseconds.

The recorder asks for every fragment, so that a withdrawal holds for the very next one (P1); for twenty cameras, one
question each would cost more than everything else that recording does.
"""

import threading

from sqlalchemy.exc import SQLAlchemyError

from vms_privacy.clock import Clock
from vms_privacy.consent.ledger import ConsentLedger
from vms_privacy.consent.store import Active
from vms_privacy.db import Database


class Heads:
    """The newest reading of all heads, for every recorder whose question is older than it. Thread-safe."""

    def __init__(self, db: Database, ledger: ConsentLedger, clock: Clock) -> None:
        self._db = db
        self._ledger = ledger
        self._clock = clock
        self._lock = threading.Lock()
        self._read_at_s = float("-inf")
        self._said: Active | SQLAlchemyError = {}

    def since(self, asked_s: float) -> Active:
        """Return the opt-ins that are on, read at `asked_s` (monotonic) or later: what was committed before is in it.

        Raises SQLAlchemyError, the same for all whom one failed reading would have answered.
        """
        with self._lock:
            if self._read_at_s <= asked_s:
                began_s = self._clock.monotonic()
                self._said = self._read()
                self._read_at_s = began_s
            said = self._said
        if isinstance(said, SQLAlchemyError):
            raise said
        return said

    def _read(self) -> Active | SQLAlchemyError:
        try:
            with self._db.glancing() as connection:
                return self._ledger.active(connection)
        except SQLAlchemyError as error:
            return error
