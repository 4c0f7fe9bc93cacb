"""Is it alive, is it ready, and what do its numbers say."""

import threading
from collections.abc import Callable, Mapping
from typing import Final, Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from auth.errors import NotFound
from auth.gate import public
from vms_privacy.web import Strict, is_loopback

Probe = Callable[[], str]
NOT_ASKED: Final = "not-asked-yet"


class OneAtATime:
    """Asks a part for one caller at a time; whoever comes meanwhile hears at once what was last known.

    A store that hangs then holds one thread, not one for each load balancer's question.
    """

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._asking = threading.Lock()
        self._last = NOT_ASKED

    def __call__(self) -> str:
        if not self._asking.acquire(blocking=False):
            return self._last
        try:
            self._last = self._probe()
            return self._last
        finally:
            self._asking.release()


class PartReady(Strict):
    """One part of the service; `why` is a stable code where it is not ready."""

    name: str
    ready: bool
    why: str


class Ready(Strict):
    """Whether every part is ready, and which is not."""

    ready: bool
    parts: list[PartReady]


class Alive(Strict):
    """The process answers."""

    status: Literal["alive"] = "alive"


def health_routes(probes: Mapping[str, Probe], registry: CollectorRegistry, *, behind_proxy: bool) -> APIRouter:
    """Return the routes. A probe returns an empty text when its part is ready, else a stable code."""
    routes = APIRouter(tags=["health"])
    asked = {name: OneAtATime(probe) for name, probe in probes.items()}

    @routes.get("/healthz", **public("a load balancer asks before anybody logs in"))
    async def healthz() -> Alive:
        """Say that the process answers; nothing more is looked at."""
        return Alive()

    @routes.get("/readyz", **public("a load balancer asks before anybody logs in"))
    def readyz(response: Response) -> Ready:
        """Ask each part; 503 if one is not ready."""
        told = {name: probe() for name, probe in asked.items()}
        parts = [PartReady(name=name, ready=not why, why=why) for name, why in told.items()]
        ready = all(part.ready for part in parts)
        response.status_code = 200 if ready else 503
        return Ready(ready=ready, parts=parts)

    @routes.get("/metrics", include_in_schema=False, **public("only from this machine; counts without ids"))
    def metrics(request: Request) -> Response:
        """Give the numbers to a collector on this machine; for everybody else there is nothing here."""
        if behind_proxy or request.client is None or not is_loopback(request.client.host):
            raise NotFound
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return routes
