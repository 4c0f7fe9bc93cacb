"""What nobody foresaw: told in the log, and made into a failure of the one camera that it struck."""

from pathlib import Path
from traceback import extract_tb

import structlog

from streams.media.faults import Fault, SourceFailed

_log = structlog.get_logger("ingest")


def tell_round_failed(error: Exception) -> None:
    """Tell that a round in which all cameras' bytes are moved failed."""
    _log.error("round-failed", error=type(error).__name__, place=_place_of(error))


def failure_of(error: Exception) -> SourceFailed:
    """Tell of it, and return what the camera's status says. It is tried again as after any other failure."""
    _log.error("connection-failed", error=type(error).__name__, place=_place_of(error))
    return SourceFailed(Fault.INTERNAL_ERROR, "the service failed; its log says where")


def _place_of(error: Exception) -> str:
    """Return file and line: the text of a foreign error may hold a camera's address with its password."""
    frames = extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
