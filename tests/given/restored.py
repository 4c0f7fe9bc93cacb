"""A house whose database was lost, and an older copy of it in its place: in custody, in this process or in another."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import IntEnum
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from archive.retention.replay import Shortenings
from auth.grants.replay import Revocations
from auth.grants.service import GrantService
from auth.identities.service import PersonService
from auth.sessions.memory import AccessMemory
from tests.given.clock import HandClock
from tests.given.footage import House
from vms_privacy.custody.restoring import Places, Restoring
from vms_privacy.custody.rules import Step
from vms_privacy.custody.service import Custody, Progress, Rooms, nobody
from vms_privacy.db import Database
from vms_privacy.ids import SystemRandomness
from vms_privacy.journal.journal import Journal
from vms_privacy.migrations import migrate

INSTALLATION = "installation-1"
DEADLINE_S = 60.0


def grants_of(house: House) -> GrantService:
    return GrantService(house.audit, house.journal, house.clock, house.randomness)


def people_of(house: House) -> PersonService:
    return PersonService(
        house.audit, house.journal, house.clock, house.randomness, grants_of(house), AccessMemory(house.clock)
    )


def custody_of(house: House, progress: Progress = nobody) -> Custody:
    rooms = Rooms(
        house.eraser,
        house.recovery,
        house.store,
        house.spool,
        Shortenings(house.audit, house.clock, house.randomness),
        Revocations(house.audit, house.clock, AccessMemory(house.clock)),
        house.ledger,
    )
    return Custody(house.db, house.journal, house.audit, house.clock, house.randomness, rooms, progress)


def restoring_of(house: House, progress: Progress = nobody) -> Restoring:
    return Restoring(
        house.journal, house.clock, house.randomness, INSTALLATION, lambda engine, _: migrate(engine), progress
    )


@contextmanager
def gone_on_with(url: str, folder: Path, now: datetime) -> Iterator[House]:
    """The house in a folder, as the next process has it, with whatever database is at the address."""
    db = Database(url)
    house = House(db, HandClock(now), folder, SystemRandomness())
    try:
        yield house
    finally:
        house.kill()
        db.close()


@contextmanager
def killed_at(step: IntEnum, work: Callable[..., None], *given: object) -> Iterator[None]:
    """Let a process do some work of a restore, and kill it once it has reached a step."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    heard, tells = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(step, tells, *given), daemon=True)
    process.start()
    tells.close()
    try:
        assert heard.poll(DEADLINE_S), "it goes on"
        assert heard.recv() == step
        process.kill()
        process.join(DEADLINE_S)
        yield
    finally:
        process.kill()
        process.join(DEADLINE_S)
        process.close()
        heard.close()


def replay_until_killed(step: Step, tells: Connection, url: str, folder: Path, now: datetime) -> None:
    with gone_on_with(url, folder, now) as house:
        custody_of(house, _staying(step, tells)).replay()


def put_in_place_until_killed(
    step: Step, tells: Connection, copy: Path, places: Places, journal: Path, now: datetime
) -> None:
    clock = HandClock(now)
    restoring = Restoring(
        Journal(journal, clock),
        clock,
        SystemRandomness(),
        INSTALLATION,
        lambda engine, _: migrate(engine),
        _staying(step, tells),
    )
    with copy.open("rb") as file:
        restoring.put_in_place(file, places)


def _staying(step: Step, tells: Connection) -> Progress:
    def stay(reached: Step) -> None:
        if reached is step:
            tells.send(step)
            # Until it is killed: nobody ever sends anything.
            tells.poll(None)

    return stay
