"""Further workers of a house's database: each with its own connections, keyring, journal and identity."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from uuid import UUID

from archive.blobs.folder_store import FolderStore
from archive.erasure.rules import Step
from archive.erasure.service import Eraser
from archive.erasure.tools import SweepReport, Tools
from archive.keys.service import BucketKeys
from archive.keys.wrap import SegmentKeys
from archive.mandates.edges import Edges
from archive.retention.service import RetentionService
from archive.retention.terms import OperatorTerms
from auth.tokens.handles import random_name
from tests.given.clock import HandClock
from vms_privacy.approvals.service import Approvals
from vms_privacy.audit.log import AuditLog
from vms_privacy.db import Database
from vms_privacy.ids import SystemRandomness, WorkerId
from vms_privacy.journal.journal import Journal
from vms_privacy.keyring.file_keyring import FileKeyring

DEADLINE_S = 60.0


class Worker:
    """Sweeps, remembers all it did, and tells `on_step` of each step."""

    def __init__(self, url: str, folder: Path, clock: HandClock, number: int) -> None:
        self.db = Database(url)
        self.journal = Journal(folder / f"journal-{number}", clock)
        self.report = SweepReport()
        self.steps: list[Step] = []
        self.on_step: Callable[[Step], None] = lambda _: None
        randomness = SystemRandomness()
        keyring = FileKeyring(folder / "keyring", clock, randomness)
        keys, blobs, spool = SegmentKeys(keyring, randomness, clock), FolderStore(folder / "archive"), folder / "spool"
        audit = AuditLog(self.db, randomness)
        approvals = Approvals(audit, clock, randomness)
        retention = RetentionService(audit, self.journal, clock, randomness, approvals)
        self.eraser = Eraser(
            Tools(
                self.db,
                keys,
                BucketKeys(keyring, keys, clock),
                blobs,
                spool,
                self.journal,
                audit,
                clock,
                randomness,
                WorkerId(UUID(int=number)),
                Edges(keys, spool, blobs, randomness, lambda: random_name(randomness)),
                OperatorTerms(retention, audit, self.journal, clock, randomness),
                progress=self._reached,
            )
        )

    def sweep(self) -> SweepReport:
        report = self.eraser.sweep()
        self.report.erased += report.erased
        self.report.failed |= report.failed
        self.report.taken_over += report.taken_over
        return report

    def _reached(self, step: Step) -> None:
        self.steps.append(step)
        self.on_step(step)


@contextmanager
def working(url: str, folder: Path, clock: HandClock, number: int) -> Iterator[Worker]:
    """A worker, until the block ends."""
    made = Worker(url, folder, clock, number)
    try:
        yield made
    finally:
        made.journal.close()
        made.db.close()


@contextmanager
def killed_at(step: Step, url: str, folder: Path, now: datetime, number: int) -> Iterator[None]:
    """Let a process sweep, and kill it once it has reached a step."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    heard, tells = context.Pipe(duplex=False)
    given = (step, url, folder, now, number, tells)
    process = context.Process(target=_sweep_until_killed, args=given, daemon=True)
    process.start()
    tells.close()
    try:
        assert heard.poll(DEADLINE_S), "it sweeps"
        assert heard.recv() == step
        process.kill()
        process.join(DEADLINE_S)
        yield
    finally:
        process.kill()
        process.join(DEADLINE_S)
        process.close()
        heard.close()


def _sweep_until_killed(step: Step, url: str, folder: Path, now: datetime, number: int, tells: Connection) -> None:
    with working(url, folder, HandClock(now), number) as made:

        def stay(reached: Step) -> None:
            if reached is step:
                tells.send(step)
                # Until it is killed: nobody ever sends anything.
                tells.poll(None)

        made.on_step = stay
        made.sweep()
