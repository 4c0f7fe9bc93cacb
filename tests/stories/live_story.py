"""The live part of the story alone: `python -m tests.stories.live_story FOLDER [BROKEN PART]`.

Prints one JSON document with the canaries and what came of it; made to be looked at from outside.
"""

import json
import sys
from pathlib import Path

from tests.stories.broken.parts import BROKEN
from vms_privacy.app import Assembly
from vms_privacy.cli.logs import log_to_standard_error
from vms_privacy.clock import SystemClock
from vms_privacy.demo.story import tell
from vms_privacy.demo.tale import steps_of
from vms_privacy.demo.world import make_world


def main(folder: str, broken: str = "") -> None:
    log_to_standard_error()
    assemble = BROKEN[broken][1] if broken else Assembly
    with make_world(Path(folder), assemble) as world:
        told = tell(steps_of(world)[:1], SystemClock(), lambda _: None)[0]
        canaries = [canary.hex() for canary in world.canaries]
    json.dump({"step": told.name, "ok": told.ok, "detail": dict(told.detail), "canaries": canaries}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
