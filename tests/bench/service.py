"""The service of a bench, in a process of its own: `python -m tests.bench.service DATA_DIR [unsealed | counted]`.

It is the very service that `vms-privacy serve` runs, with additions: a bare route, which does nothing, as the peer of
routes that do something; with `unsealed`, a recorder whose cipher only copies; with `counted`, a store that counts
what is read.
"""

import sys
import threading
from functools import cached_property
from pathlib import Path

import structlog
from fastapi import FastAPI

from archive.blobs.store import BlobStore
from archive.recorder.tools import Tools
from auth.gate import public
from tests.bench.children import ready, wait_for_the_end
from tests.bench.counted import CountedStore
from tests.bench.unsealed import unsealed
from vms_privacy.app import Assembly
from vms_privacy.serve import Running
from vms_privacy.settings import Settings


class Unsealed(Assembly):
    """The service with the cipher off."""

    @cached_property
    def recorder_tools(self) -> Tools:
        return unsealed(super().recorder_tools)


class Counted(Assembly):
    """The service that counts what is read of footage."""

    @cached_property
    def store(self) -> BlobStore:
        return CountedStore(super().store, self.settings.data_dir)


class WithBareRoute(Running):
    """The service with a route that does nothing."""

    def api(self) -> FastAPI:
        app = super().api()

        @app.get("/bench/bare", **public("a bench compares other routes with it"))
        def bare() -> dict[str, bool]:
            return {"bare": True}

        # It is found at once: behind all others, looking for it would cost more than answering.
        app.router.routes.insert(0, app.router.routes.pop())
        return app


def main() -> None:
    """Serve until the parent has enough."""
    settings = Settings(data_dir=Path(sys.argv[1]), port=0, store_capacity_bytes=10**15)
    # Standard output belongs to the parent, which reads one line of it.
    log = (settings.data_dir / "service.log").open("w")
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(log))
    kinds = {"unsealed": Unsealed, "counted": Counted}
    parts = next((kinds[option] for option in sys.argv[2:]), Assembly)(settings)
    running = WithBareRoute(parts)

    def tell_and_wait() -> None:
        if running.is_up.wait(60):
            ready(url=f"http://127.0.0.1:{running.port}")
        wait_for_the_end()
        running.stop()

    threading.Thread(target=tell_and_wait, daemon=True).start()
    running.serve()


if __name__ == "__main__":
    main()
