"""The tap: everybody hears the same, nobody waits for anybody, and losses are told and counted."""

import asyncio
import threading
from contextlib import aclosing
from itertools import pairwise
from uuid import UUID

import pytest

from streams.errors import TooManyListeners
from streams.ingest.drawing import drawn, pictures
from streams.ingest.subscription import Item, Lost, Subscription, Wants
from streams.ingest.tap import Tap
from streams.media.fmp4 import Fragmenter
from streams.media.packets import Epoch, Fragment, Packet, Track
from tests.given.encoded import encoded
from vms_privacy.ids import CameraId

CAMERA = CameraId(UUID(int=1))
FILM = encoded(4.0, audio=True)


def tap() -> Tap:
    return Tap(CAMERA, Fragmenter())


def film(tap: Tap, number: int = 1, seconds: float = 4.0) -> None:
    tap.new_epoch(FILM.epoch(number))
    tap.push([one for one in FILM.packets if one.dts < seconds * (90_000 if one.track is Track.VIDEO else 48_000)])


def everything(subscription: Subscription) -> list[Item]:
    return subscription.take(0)


def test_two_listeners_hear_the_same_from_the_first_picture_on() -> None:
    this = tap()
    one, two = (this.subscribe(name, Wants.PACKETS, 2**26) for name in ("one", "two"))
    film(this)
    first, second = everything(one), everything(two)
    assert first == second == [FILM.epoch(1), *FILM.packets]


async def test_whoever_stops_reading_has_left_the_tap() -> None:
    this = tap()
    live, recorder = (this.subscribe(name, Wants.FRAGMENTS, 2**26) for name in ("live", "recorder"))
    film(this)
    for items in (pictures(live), drawn(recorder)):
        async with aclosing(items):
            assert isinstance(await anext(items), Epoch)
    assert this.listeners == ()


def test_fragments_are_cut_once_for_all_who_want_them() -> None:
    this = tap()
    one, two = (this.subscribe(name, Wants.FRAGMENTS, 2**26) for name in ("one", "two"))
    film(this)
    this.close()
    first, second = everything(one), everything(two)
    assert isinstance(first[0], Epoch)
    assert all(mine is theirs for mine, theirs in zip(first, second, strict=True))
    assert sum(item.packets for item in first if isinstance(item, Fragment)) == len(FILM.packets)


def test_who_comes_later_begins_with_the_epoch_and_the_next_key_picture() -> None:
    this = tap()
    film(this, seconds=1.0)
    late = this.subscribe("late", Wants.PACKETS, 2**26)
    this.push([one for one in FILM.packets if one.captured_at_us > FILM.packets[0].captured_at_us + 1_000_000])
    epoch, first, *_ = everything(late)
    assert isinstance(epoch, Epoch)
    assert isinstance(first, Packet)
    assert (first.track, first.is_key, first.dts) == (Track.VIDEO, True, 2 * 90_000)
    assert late.dropped == 0


def test_a_slow_listener_loses_whole_groups_and_nobody_else_does() -> None:
    this = tap()
    slow, quick = this.subscribe("slow", Wants.PACKETS, 4000), this.subscribe("quick", Wants.PACKETS, 2**26)
    heard: list[Item] = []
    this.new_epoch(FILM.epoch())
    for number, packet in enumerate(FILM.packets):
        this.push([packet])
        if number % 60 == 59:
            heard += everything(slow)
    heard += everything(slow)
    packets = [item for item in heard if isinstance(item, Packet)]
    assert len(everything(quick)) == len(FILM.packets) + 1
    assert slow.dropped == len(FILM.packets) - len(packets) > 0
    assert slow.dropped_bytes > 0
    places = [FILM.packets.index(packet) for packet in packets]
    resumed = [FILM.packets[after] for before, after in pairwise(places) if after != before + 1]
    assert resumed
    assert all(packet.is_key and packet.track is Track.VIDEO for packet in resumed)


def test_a_loss_is_told_in_order_to_those_who_asked() -> None:
    this = tap()
    told = this.subscribe("told", Wants.FRAGMENTS, 2**26, tells_loss=True)
    calm = this.subscribe("calm", Wants.FRAGMENTS, 2**26)
    film(this, 1)
    this.lose("unreachable")
    film(this, 2)
    this.lose("stalled")
    kinds = [item if isinstance(item, Lost) else type(item).__name__ for item in everything(told)]
    shape = [kind for before, kind in pairwise([None, *kinds]) if kind != before]
    assert shape == ["Epoch", "Fragment", Lost("unreachable"), "Epoch", "Fragment", Lost("stalled")]
    assert not any(isinstance(item, Lost) for item in everything(calm))


def test_a_camera_that_comes_and_goes_for_days_fills_nobody_s_queue() -> None:
    this = tap()
    told = this.subscribe("told", Wants.PACKETS, 2**26, tells_loss=True)
    for number in range(1000):
        this.new_epoch(FILM.epoch(number + 1))
        this.lose("unreachable")
    assert everything(told) == [Lost("unreachable")]


def test_who_comes_between_two_connections_waits_for_the_next() -> None:
    this = tap()
    film(this, 1)
    this.lose("unreachable")
    between = this.subscribe("between", Wants.PACKETS, 2**26)
    assert everything(between) == []
    film(this, 2, seconds=0.1)
    assert everything(between)[0] == FILM.epoch(2)


def test_closing_lets_everybody_go_and_a_closed_tap_gives_nothing() -> None:
    this = tap()
    before = this.subscribe("before", Wants.PACKETS, 2**26)
    film(this, seconds=0.1)
    this.close()
    after = this.subscribe("after", Wants.PACKETS, 2**26)
    assert before.is_over
    assert after.is_over
    assert everything(before)
    assert before.take(10) == []


def test_who_leaves_is_forgotten() -> None:
    this = tap()
    one = this.subscribe("one", Wants.PACKETS, 2**26)
    one.close()
    one.close()
    assert this.listeners == ()
    film(this, seconds=0.1)
    assert everything(one) == []


def test_the_listeners_of_a_camera_are_counted() -> None:
    this = tap()
    for _ in range(2000):
        this.subscribe("one", Wants.PACKETS, 1)
    with pytest.raises(TooManyListeners):
        this.subscribe("one more", Wants.PACKETS, 1)


def test_a_thread_is_woken_by_the_first_item_and_by_the_end() -> None:
    this = tap()
    subscription = this.subscribe("thread", Wants.PACKETS, 2**26)
    heard: list[list[Item]] = []
    first = threading.Event()

    def listen() -> None:
        while not subscription.is_over:
            heard.append(subscription.take(30))
            first.set()

    thread = threading.Thread(target=listen)
    thread.start()
    this.new_epoch(FILM.epoch())
    assert first.wait(30)
    this.push(FILM.packets)
    this.close()
    thread.join(30)
    assert not thread.is_alive()
    assert [item for items in heard for item in items] + everything(subscription) == [FILM.epoch(), *FILM.packets]


async def test_the_event_loop_draws_until_the_end() -> None:
    this = tap()
    subscription = this.subscribe("loop", Wants.PACKETS, 2**26)

    async def listen() -> list[Item]:
        return [item async for item in subscription]

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0)
    film(this)
    await asyncio.sleep(0)
    this.close()
    assert await asyncio.wait_for(listening, 10) == [FILM.epoch(), *FILM.packets]


async def test_closing_from_another_thread_lets_a_waiting_loop_go() -> None:
    subscription = tap().subscribe("loop", Wants.PACKETS, 2**26)
    waiting = asyncio.create_task(subscription.batch())
    await asyncio.sleep(0)
    await asyncio.to_thread(subscription.close)
    assert await asyncio.wait_for(waiting, 10) == []


def test_a_packet_that_no_file_can_hold_is_counted_and_the_rest_goes_on() -> None:
    this = tap()
    packets = this.subscribe("packets", Wants.PACKETS, 2**26)
    this.new_epoch(FILM.epoch())
    first = FILM.of(Track.VIDEO)[0]
    far = Packet(Track.VIDEO, 1, 2**40, 1, False, b"far", first.arrived_at_us, first.captured_at_us)
    this.push([first, far, *FILM.of(Track.VIDEO)[1:]])
    assert this.unwritable == 1
    assert len(everything(packets)) == len(FILM.of(Track.VIDEO)) + 2
