"""The whole story, with what the environment says of database, store and keyring: `python -m … FOLDER`.

Prints one JSON document: the story as the command line tells it, and beside it what only this process knows, the
canaries in its cameras' pictures. Made to be looked at from outside, afterwards.
"""

import json
import sys
from pathlib import Path

from archive.blobs.rules import DEFAULT_STORE
from vms_privacy.cli.logs import log_to_standard_error
from vms_privacy.clock import SystemClock
from vms_privacy.demo.story import document, tell
from vms_privacy.demo.tale import steps_of
from vms_privacy.demo.world import make_world


def main(folder: str) -> None:
    log_to_standard_error()
    with make_world(Path(folder)) as world:
        told = tell(steps_of(world), SystemClock(), lambda _: None)
        canaries = [canary.hex() for canary in world.canaries]
        parts = {
            "database": world.parts.db.engine.dialect.name,
            "store": type(world.parts.stores[DEFAULT_STORE]).__name__,
            "keyring": type(world.parts.keyring).__name__,
        }
    json.dump({"story": json.loads(document(told)), "canaries": canaries, "parts": parts}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
