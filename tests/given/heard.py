"""What a demux child tells of one camera, kept for a test to look at."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from streams.media.child_protocol import Coded, NewEpoch
from streams.media.faults import Fault


@dataclass
class Listening:
    """A hearer that forgets nothing."""

    epochs: list[NewEpoch] = field(default_factory=list)
    packets: list[Coded] = field(default_factory=list)
    lost: int = 0
    fault: Fault | None = None
    detail: str = ""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def begun(self, epoch: NewEpoch) -> None:
        self.epochs.append(epoch)
        self._news.set()

    def came(self, packets: Sequence[Coded], lost: int) -> None:
        self.packets += packets
        self.lost += lost
        self._news.set()

    def over(self, fault: Fault, detail: str) -> None:
        assert self.fault is None, "told twice that it is over"
        self.fault, self.detail = fault, detail
        self._news.set()

    async def until_over(self, within_s: float = 20.0) -> None:
        async with asyncio.timeout(within_s):
            while self.fault is None:
                await self._wait()

    async def until_packets(self, count: int, within_s: float = 20.0) -> None:
        async with asyncio.timeout(within_s):
            while len(self.packets) < count:
                await self._wait()

    async def _wait(self) -> None:
        self._news.clear()
        await self._news.wait()
