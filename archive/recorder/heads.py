"""What the ledger's heads say, asked for all cameras at once: their fragments come within the same milliseconds.

The recorder asks for every fragment, so that a withdrawal holds for the very next one (P1); for twenty cameras, one
question each would cost more than everything else that recording does.
"""

import threading
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from vms_privacy.clock import Clock
from vms_privacy.consent.ledger import ConsentLedger
from vms_privacy.consent.store import Active
from vms_privacy.db import Database

REST_S: Final = 1.0
"""A database that is out of reach is not asked again at once: each question takes as long as it is waited for, and all
cameras' fragments would wait with it. A withdrawal made here is heard at once, that of another node within a second."""


class Heads:
    """The newest reading of all heads, for every recorder whose question is older than it. Thread-safe.

    A failure is the answer to whatever is asked in the second after it.
    """

    def __init__(self, db: Database, ledger: ConsentLedger, clock: Clock) -> None:
        self._db = db
        self._ledger = ledger
        self._clock = clock
        self._lock = threading.Lock()
        self._read_at_s = float("-inf")
        self._failed_at_s = float("-inf")
        self._said: Active | SQLAlchemyError = {}

    def since(self, asked_s: float) -> Active:
        """Return the opt-ins that are on, read at `asked_s` (monotonic) or later: what was committed before is in it.

        Raises SQLAlchemyError, the same for all whom one failed reading would have answered.
        """
        with self._lock:
            if self._read_at_s <= asked_s and not self._is_resting():
                began_s = self._clock.monotonic()
                self._said = self._read()
                self._read_at_s = began_s
                if isinstance(self._said, SQLAlchemyError):
                    self._failed_at_s = self._clock.monotonic()
            said = self._said
        if isinstance(said, SQLAlchemyError):
            raise said
        return said

    def failed(self, error: SQLAlchemyError) -> None:
        """Take note that the database could not be asked for something else, either."""
        with self._lock:
            self._said, self._failed_at_s = error, self._clock.monotonic()

    def refuse_while_resting(self) -> None:
        """Raise the SQLAlchemyError of less than a second ago, if there was one."""
        with self._lock:
            if self._is_resting() and isinstance(self._said, SQLAlchemyError):
                raise self._said

    def _is_resting(self) -> bool:
        return self._clock.monotonic() - self._failed_at_s < REST_S

    def _read(self) -> Active | SQLAlchemyError:
        try:
            with self._db.glancing() as connection:
                return self._ledger.active(connection)
        except SQLAlchemyError as error:
            return error
