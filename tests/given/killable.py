"""A process that records, delivers and sweeps with the real parts until somebody kills it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from archive.recorder.standing import micros
from tests.given.clock import HandClock
from tests.given.encoded import encoded
from tests.given.footage import House
from vms_privacy.db import Database
from vms_privacy.ids import SystemRandomness

KEEP = timedelta(seconds=20)
_SECONDS = 6.0
# Made where the processes are forked from, not in each of them.
_STREAM = encoded(_SECONDS, gop=25)


@contextmanager
def opened(url: str, folder: Path, starts_at: datetime) -> Iterator[House]:
    """The house in a folder with its database, as one process has it; made if it is the first."""
    db = Database(url)
    house = House(db, HandClock(starts_at), folder, SystemRandomness())
    try:
        yield house
    finally:
        house.kill()
        db.close()


def record_until_killed(url: str, folder: Path, starts_at: datetime, told: Connection) -> None:
    """Tell each fragment before it is handed over and after it was taken, with the clock of that moment."""
    with opened(url, folder, starts_at) as house:
        house.revive()
        with house.db.reading() as session:
            is_opted_in = house.ledger.permit(session, house.camera.camera_id) is not None
        if not is_opted_in:
            house.opt_in()
            house.keep_for(KEEP)
        while True:
            house.recorder.begin(f"run-{house.clock.now()}", _STREAM.epoch(1))
            for number, fragment in enumerate(house.fragments(_SECONDS)):
                ahead_us = fragment.last_arrived_at_us - micros(house.clock.now())
                house.clock.forward(timedelta(microseconds=max(0, ahead_us)))
                told.send(("before", fragment.captured_from_us, house.clock.now()))
                left_out = house.recorder.tally.left_out
                house.recorder.take(fragment)
                if house.recorder.tally.left_out == left_out:
                    told.send(("after", fragment.captured_from_us, house.clock.now()))
                if number % 5 == 4:
                    house.delivery.deliver()
                    house.eraser.sweep()
            house.recorder.tidy()


@contextmanager
def killed_after(
    url: str, folder: Path, starts_at: datetime, messages: int
) -> Iterator[list[tuple[str, int, datetime]]]:
    """Let it record in a process of its own, kill that after so many messages, and hand over all it has told."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    heard, tells = context.Pipe(duplex=False)
    process = context.Process(target=record_until_killed, args=(url, folder, starts_at, tells), daemon=True)
    process.start()
    tells.close()
    found: list[tuple[str, int, datetime]] = []
    try:
        while len(found) < messages:
            assert heard.poll(60), "it records"
            found.append(heard.recv())
        process.kill()
        process.join(30)
        while heard.poll():
            try:
                found.append(heard.recv())
            except EOFError:
                break
        yield found
    finally:
        process.kill()
        process.join(30)
        process.close()
        heard.close()
