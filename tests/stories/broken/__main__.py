"""The story with one broken part, as the command line tells it: `python -m tests.stories.broken NAME FOLDER`."""

import sys
from pathlib import Path

from tests.stories.broken.parts import BROKEN
from vms_privacy.cli.logs import log_to_standard_error
from vms_privacy.demo.tale import play


def main(name: str, folder: str) -> int:
    log_to_standard_error()
    _, assembly = BROKEN[name]
    return play(Path(folder), as_json=True, then=lambda _: None, assemble=assembly)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
