"""The live routes behind a real uvicorn on a real socket, with real tokens and sessions."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Self

from streams.live.channel import Channel, LiveLimits
from streams.live.http import LiveParts, live_routes
from streams.live.service import LiveService
from tests.given.media_server import DEADLINE_S, MediaServer
from tests.given.scripted_source import ScriptedSource
from tests.given.tokens import TokenParts
from vms_privacy.audit.pseudonyms import Pseudonyms
from vms_privacy.ids import CameraId


class LiveServer(MediaServer):
    """One camera `north/door` with a scripted source. Use as an async context manager."""

    def __init__(self, parts: TokenParts, limits: LiveLimits) -> None:
        self.source = ScriptedSource()
        self.heard: dict[CameraId, datetime] = {}
        self.live = LiveService(lambda _: self.source.feed(), self.heard.get, parts.clock, limits)
        routes = live_routes(
            LiveParts(
                self.live,
                parts.door,
                parts.tokens,
                parts.sessions,
                Pseudonyms(parts.keyring, parts.clock),
                parts.group,
                parts.audit,
                parts.clock,
            )
        )
        super().__init__(parts, "/north/door", routes)

    async def __aenter__(self) -> Self:
        self.live.open()
        self.live.start(self.parts.camera.camera_id)
        await self.source.listened_to()
        return await super().__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.live.close()
        await super().__aexit__(kind, error, trace)

    @property
    def channel(self) -> Channel:
        return self.live.channel(self.parts.camera.camera_id)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for the ring to change until something holds."""
        async with asyncio.timeout(DEADLINE_S):
            while not holds():
                await self.channel.news()
