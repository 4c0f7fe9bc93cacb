import asyncio
import threading
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from streams.live.channel import LiveLimits
from streams.live.errors import CameraNotLive
from streams.live.service import LiveService
from streams.media.packets import Epoch, Fragment, Track
from tests.given.clock import HandClock
from tests.given.fragmented import fragments_of
from tests.given.scripted_source import ScriptedSource, drawn, plain_epoch
from vms_privacy.consent.rules import WITHOUT_END
from vms_privacy.ids import CameraId

CAMERA = CameraId(UUID(int=1))
OTHER = CameraId(UUID(int=2))
S = 1_000_000


@dataclass
class House:
    """A live service with one scripted camera."""

    clock: HandClock = field(default_factory=HandClock)
    source: ScriptedSource = field(default_factory=ScriptedSource)
    heard: dict[CameraId, datetime] = field(default_factory=dict)
    limits: LiveLimits = field(default_factory=LiveLimits)

    async def opened(self) -> LiveService:
        live = LiveService(lambda _: self.source.feed(), self.heard.get, self.clock, self.limits)
        live.open()
        live.start(CAMERA)
        await self.source.listened_to()
        return live

    async def send(self, live: LiveService, seconds: float, start_s: float = 0, *, audio: bool = False) -> None:
        """Send so much media, while as much time goes by."""
        self.clock.forward(timedelta(seconds=seconds))
        self.source.send(drawn(seconds, start_s=start_s, audio=audio))
        await settled()


async def settled() -> None:
    """Let what waits in the loop take place."""
    for _ in range(20):
        await asyncio.sleep(0)


def tracks(live: LiveService) -> set[Track]:
    ring = live.channel(CAMERA).ring
    view = ring.view()
    pieces = [ring.piece(number) for number in range(view.oldest, view.following)]
    return {piece.fragment.track for piece in pieces if piece is not None}


async def test_a_camera_that_nobody_watches_is_held_for_a_few_seconds_only() -> None:
    house = House()
    live = await house.opened()
    house.source.begin(plain_epoch())
    await house.send(live, 40)
    ring = live.channel(CAMERA).ring
    assert ring.behind_us(ring.view().oldest) <= 9 * S
    for start_s in (40, 60):
        live.channel(CAMERA).asked()
        await house.send(live, 20, start_s)
    assert 29 * S <= ring.behind_us(ring.view().oldest) <= 31 * S
    house.clock.forward(timedelta(seconds=31))
    live.tidy()
    assert live.held_bytes == 0
    await live.close()


async def test_an_endless_viewer_is_watching_for_as_long_as_it_is_there() -> None:
    house = House()
    live = await house.opened()
    channel = live.channel(CAMERA)
    house.source.begin(plain_epoch())
    channel.enter()
    await house.send(live, 40)
    assert channel.ring.behind_us(channel.ring.view().oldest) >= 29 * S
    channel.leave()
    await house.send(live, 2, 40)
    assert channel.ring.behind_us(channel.ring.view().oldest) <= 9 * S
    await live.close()


async def test_a_camera_that_went_silent_leaves_no_old_picture_behind() -> None:
    house = House()
    live = await house.opened()
    house.source.begin(plain_epoch())
    await house.send(live, 5)
    assert live.state(CAMERA).is_alive
    house.clock.forward(timedelta(seconds=60))
    live.tidy()
    state = live.state(CAMERA)
    assert (state.is_alive, live.held_bytes) == (False, 0)
    await live.close()


async def test_a_timer_sees_to_it_too() -> None:
    house = House(limits=LiveLimits(tidy_seconds=0.01))
    live = await house.opened()
    house.source.begin(plain_epoch())
    await house.send(live, 5)
    house.clock.forward(timedelta(seconds=60))
    async with asyncio.timeout(5):
        while live.held_bytes:
            await asyncio.sleep(0.01)
    await live.close()


async def test_sound_is_asked_about_when_a_camera_starts_and_whenever_the_ledger_changes() -> None:
    house = House(heard={CAMERA: WITHOUT_END})
    live = await house.opened()
    house.source.begin(plain_epoch(audio=True))
    await house.send(live, 3, audio=True)
    assert tracks(live) == {Track.VIDEO, Track.AUDIO}
    house.heard.clear()
    await asyncio.to_thread(live.consent_changed, CAMERA)
    await settled()
    assert live.held_bytes == 0
    await house.send(live, 3, 3, audio=True)
    assert tracks(live) == {Track.VIDEO}
    house.heard[CAMERA] = WITHOUT_END
    live.consent_changed(CAMERA)
    await settled()
    await house.send(live, 3, 6, audio=True)
    assert tracks(live) == {Track.VIDEO, Track.AUDIO}
    await live.close()


async def test_sound_ends_with_an_opt_in_that_ends_by_itself() -> None:
    house = House()
    house.heard = {CAMERA: house.clock.now() + timedelta(seconds=4)}
    live = await house.opened()
    cut = threading.Event()
    house.source.begin(plain_epoch(audio=True))
    await house.send(live, 3, audio=True)
    assert tracks(live) == {Track.VIDEO, Track.AUDIO}
    live.channel(CAMERA).attach(cut.set)
    await house.send(live, 3, 3, audio=True)
    assert cut.is_set()
    assert tracks(live) == {Track.VIDEO}
    await live.close()


@pytest.mark.parametrize("by_a_request", [False, True])
async def test_sound_that_is_held_ends_with_its_opt_in_though_nothing_new_comes(by_a_request: bool) -> None:
    house = House()
    house.heard = {CAMERA: house.clock.now() + timedelta(seconds=4)}
    live = await house.opened()
    look = live.channel(CAMERA).asked if by_a_request else live.tidy
    house.source.begin(plain_epoch(audio=True))
    await house.send(live, 3, audio=True)
    house.clock.forward(timedelta(seconds=0.9))
    look()
    assert tracks(live) == {Track.VIDEO, Track.AUDIO}
    house.clock.forward(timedelta(seconds=0.1))
    look()
    assert live.held_bytes == 0
    await live.close()


async def test_a_withdrawal_that_comes_while_a_camera_starts_wins() -> None:
    house = House(heard={CAMERA: WITHOUT_END})
    asked, go_on = threading.Event(), threading.Event()

    def ledger(camera_id: CameraId) -> datetime | None:
        until = house.heard.get(camera_id)
        if until is not None:
            asked.set()
            assert go_on.wait(10)
        return until

    live = LiveService(lambda _: house.source.feed(), ledger, house.clock, house.limits)
    live.open()
    starting = asyncio.create_task(asyncio.to_thread(live.start, CAMERA))
    await asyncio.to_thread(asked.wait, 10)
    house.heard.clear()
    telling = asyncio.create_task(asyncio.to_thread(live.consent_changed, CAMERA))
    go_on.set()
    await asyncio.gather(starting, telling)
    await house.source.listened_to()
    await settled()
    house.source.begin(plain_epoch(audio=True))
    await house.send(live, 3, audio=True)
    assert tracks(live) == {Track.VIDEO}
    await live.close()


async def test_a_camera_that_is_stopped_is_forgotten_and_wakes_who_waits_for_it() -> None:
    house = House()
    live = await house.opened()
    channel = live.channel(CAMERA)
    house.source.begin(plain_epoch())
    await house.send(live, 5)
    waiting = asyncio.create_task(channel.news())
    await settled()
    live.stop(CAMERA)
    await asyncio.wait_for(waiting, 5)
    assert (channel.is_over, channel.ring.held_bytes) == (True, 0)
    with pytest.raises(CameraNotLive):
        live.channel(CAMERA)
    with pytest.raises(CameraNotLive):
        await channel.first_segment()
    assert not live.state(CAMERA).is_alive
    await live.close()


async def test_a_feed_that_ends_takes_its_camera_with_it() -> None:
    house = House()
    live = await house.opened()
    house.source.end()
    await settled()
    with pytest.raises(CameraNotLive):
        live.channel(CAMERA)
    assert live.failed_feeds == 0
    await live.close()


async def test_a_feed_that_fails_is_counted_and_takes_no_other_camera_with_it() -> None:
    house = House()

    async def broken() -> AsyncGenerator[Epoch | Fragment, None]:
        yield plain_epoch()
        raise OSError

    feeds = {CAMERA: house.source.feed(), OTHER: broken()}
    live = LiveService(feeds.__getitem__, house.heard.get, house.clock, house.limits)
    live.open()
    live.start(CAMERA)
    live.start(OTHER)
    await settled()
    assert live.failed_feeds == 1
    with pytest.raises(CameraNotLive):
        live.channel(OTHER)
    house.source.begin(plain_epoch())
    await house.send(live, 3)
    assert live.state(CAMERA).is_alive
    await live.close()


async def test_a_channel_that_fails_leaves_its_feed() -> None:
    house = House()
    left = asyncio.Event()

    async def feed() -> AsyncGenerator[Epoch | Fragment, None]:
        try:
            async for item in house.source.feed():
                yield item
        finally:
            left.set()

    feeds = {CAMERA: feed()}
    live = LiveService(feeds.__getitem__, house.heard.get, house.clock, house.limits)
    live.open()
    live.start(CAMERA)
    await house.source.listened_to()
    house.source.begin(Epoch(1, plain_epoch().tracks, {}))
    await house.send(live, 1)
    async with asyncio.timeout(5):
        await left.wait()
    assert live.failed_feeds == 1
    await live.close()


async def test_starting_twice_changes_nothing() -> None:
    house = House()
    live = await house.opened()
    channel = live.channel(CAMERA)
    live.start(CAMERA)
    live.stop(OTHER)
    live.consent_changed(OTHER)
    await settled()
    assert live.channel(CAMERA) is channel
    await live.close()


def test_a_service_belongs_to_a_loop_before_it_starts_anything() -> None:
    house = House()
    live = LiveService(lambda _: house.source.feed(), house.heard.get, house.clock, house.limits)
    with pytest.raises(RuntimeError):
        live.start(CAMERA)


async def test_a_playlist_is_waited_for_and_not_for_ever() -> None:
    house = House(limits=LiveLimits(start_seconds=0.05))
    live = await house.opened()
    with pytest.raises(CameraNotLive):
        await live.channel(CAMERA).first_segment()
    waiting = asyncio.create_task(live.channel(CAMERA).first_segment())
    house.source.begin(plain_epoch())
    house.source.send(drawn(5))
    await waiting
    assert live.channel(CAMERA).peak_bits() > 1
    await live.close()


async def test_the_ring_and_nothing_else_keeps_a_fragment() -> None:
    house = House()
    live = await house.opened()
    sent = fragments_of(plain_epoch(), drawn(40))
    house.source.begin(plain_epoch())
    await house.send(live, 40)
    assert live.held_bytes < sum(len(one.data) for one in sent) / 3
    await live.close()
