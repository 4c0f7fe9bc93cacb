"""What nobody foresaw, told where the service's log is, and made into a failure of the one camera that it struck."""

import asyncio

from streams.media.faults import Fault, SourceFailed


def tell(error: Exception, what: str) -> None:
    """Tell the running event loop's handler, which writes it into the log. Returns."""
    asyncio.get_running_loop().call_exception_handler({"message": what, "exception": error})


def failure_of(error: Exception) -> SourceFailed:
    """Tell of it, and return what the camera's status says. It is tried again as after any other failure."""
    tell(error, "a camera's connection failed in a way that nobody foresaw")
    return SourceFailed(Fault.INTERNAL_ERROR, "the service failed; its log says where")
