"""The command line: readable by default, `--json` on every command, errors that say what to do next."""

import sys

from vms_privacy.cli.commands import app
from vms_privacy.cli.logs import log_to_standard_error
from vms_privacy.cli.output import EXIT_OF, tell_error
from vms_privacy.client import ApiRefused
from vms_privacy.errors import Refusal


def main() -> None:
    """Run one command; a refusal becomes one sentence on standard error and an exit code of its kind."""
    log_to_standard_error()
    try:
        app(standalone_mode=True)
    except Refusal as refusal:
        tell_error(refusal.code, refusal.detail)
        sys.exit(EXIT_OF[refusal.kind])
    except ApiRefused as refused:
        tell_error(refused.code, str(refused))
        sys.exit(1)
    except ConnectionError as error:
        tell_error("service-unreachable", f"the service does not answer ({type(error).__name__}); is it running?")
        sys.exit(7)
