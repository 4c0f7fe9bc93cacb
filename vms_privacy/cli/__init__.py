"""The command line: readable by default, `--json` on every command, refusals that say what to do next.

Promise: a command that is refused says why with a code, a sentence and a next step, and exits with its kind's code;
with `--json` standard output holds one JSON document whatever happens. Guarded by tests/vms_privacy/cli.
"""

import sys

from vms_privacy.cli.logs import log_to_standard_error
from vms_privacy.cli.running import run


def main() -> None:
    """Run one command and exit."""
    log_to_standard_error()
    sys.exit(run(sys.argv[1:]))
