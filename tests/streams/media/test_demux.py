"""The demux children: what they are not given, and what it costs when one dies, hangs or lies."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from streams.media.child_protocol import Plan
from streams.media.demux import Channel, DemuxPool
from streams.media.faults import Fault, SourceFailed
from streams.media.offer import VideoOffer
from streams.media.packets import Track
from tests.given.clock import HandClock
from tests.given.full_table import no_more_files
from tests.given.heard import Listening
from tests.given.scripted_camera import RtpTrack, filmed, frames_of

PLAN = Plan(VideoOffer("h264", 96, 90_000, "video"), video_channel=0, video_reports=1)


@pytest.fixture
async def pool(clock: HandClock) -> AsyncIterator[DemuxPool]:
    pool = DemuxPool(clock, cameras_per_child=2)
    yield pool
    pool.close()


def film(channel: Channel, pool: DemuxPool, seconds: float = 0.4, at_us: int = 1_000_000) -> int:
    """Feed a camera's pictures as if they came at once; return how many."""
    _, pictures = filmed(seconds)
    channel.feed(b"".join(frames_of(RtpTrack(0, 96), pictures)), at_us)
    pool.flush()
    return len(pictures)


async def test_pictures_go_down_and_packets_come_up(pool: DemuxPool) -> None:
    heard = Listening()
    count = film(pool.open("camera", PLAN, heard), pool)
    await heard.until_packets(count)
    assert [packet.is_key for packet in heard.packets] == [True, *[False] * (count - 1)]
    assert {packet.arrived_us for packet in heard.packets} == {1_000_000}
    assert [info.track for info in heard.epochs[0].tracks] == [Track.VIDEO]
    assert (heard.epochs[0].tracks[0].width, heard.epochs[0].tracks[0].height) == (160, 96)


async def test_a_child_has_no_environment_no_files_no_sockets_and_no_core(pool: DemuxPool) -> None:
    heard = Listening()
    count = film(pool.open("camera", PLAN, heard), pool)
    await heard.until_packets(count)
    (pid,) = pool.process_ids
    process = psutil.Process(pid)
    assert set(process.environ()) == {"MALLOC_ARENA_MAX"}
    assert sorted(int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()) == [0, 1, 2]
    assert not process.net_connections()
    assert process.rlimit(resource.RLIMIT_CORE) == (0, 0)
    assert process.rlimit(resource.RLIMIT_FSIZE) == (0, 0)
    assert process.rlimit(resource.RLIMIT_NOFILE) == (3, 3)
    assert process.num_threads() <= 2


async def test_a_machine_that_starts_no_process_costs_the_camera_this_one_connection(pool: DemuxPool) -> None:
    with no_more_files(), pytest.raises(SourceFailed) as caught:
        pool.open("camera", PLAN, Listening())
    assert caught.value.fault is Fault.DEMUXER_DIED
    heard = Listening()
    count = film(pool.open("camera", PLAN, heard), pool)
    await heard.until_packets(count)


async def test_a_dead_child_costs_its_own_cameras_one_reconnect_and_nobody_else(pool: DemuxPool) -> None:
    first, second, third = Listening(), Listening(), Listening()
    channels = [pool.open(name, PLAN, heard) for name, heard in (("a", first), ("b", second), ("c", third))]
    assert len(pool.process_ids) == 2
    os.kill(pool.process_ids[0], signal.SIGKILL)
    await first.until_over()
    await second.until_over()
    assert (first.fault, second.fault, third.fault) == (Fault.DEMUXER_DIED, Fault.DEMUXER_DIED, None)
    assert pool.died == 1
    count = film(channels[2], pool)
    await third.until_packets(count)
    again = Listening()
    count = film(pool.open("a", PLAN, again), pool)
    await again.until_packets(count)


async def test_a_camera_under_which_children_keep_dying_gets_one_for_itself(pool: DemuxPool) -> None:
    for _ in range(2):
        heard = Listening()
        pool.open("bad", PLAN, heard)
        os.kill(pool.process_ids[-1], signal.SIGKILL)
        await heard.until_over()
    alone, other = Listening(), Listening()
    pool.open("bad", PLAN, alone)
    pool.open("good", PLAN, other)
    assert len(pool.process_ids) == 2
    pool.forgive("bad")
    pool.open("bad", PLAN, Listening())
    assert len(pool.process_ids) == 2


async def test_a_child_that_hangs_is_ended(pool: DemuxPool, clock: HandClock) -> None:
    heard = Listening()
    channel = pool.open("camera", PLAN, heard)
    os.kill(pool.process_ids[0], signal.SIGSTOP)
    while not channel.is_full:
        channel.feed(RtpTrack(2, 97).frame(bytes(60_000), 0, marker=False) * 16, 1)
        pool.flush()
    assert not heard.detail
    clock.forward(timedelta(seconds=16))
    pool.flush()
    assert (heard.fault, heard.detail) == (Fault.DEMUXER_DIED, "a demux process hung")
    assert not pool.process_ids


async def test_a_camera_whose_parameter_sets_are_garbage_ends_alone(pool: DemuxPool) -> None:
    bad, good = Listening(), Listening()
    bad_channel, good_channel = pool.open("bad", PLAN, bad), pool.open("good", PLAN, good)
    units = [bytes((0x67, *range(1, 20))), bytes((0x68, 1, 2, 3)), bytes((0x65, 0x80)) + bytes(range(200))]
    bad_channel.feed(RtpTrack(0, 96).picture(units, 0), 1)
    count = film(good_channel, pool)
    await bad.until_over()
    await good.until_packets(count)
    assert (bad.fault, good.fault) == (Fault.GARBAGE, None)
    assert len(pool.process_ids) == 1


async def test_a_closed_channel_is_heard_of_no_more_and_one_child_is_kept(pool: DemuxPool) -> None:
    heard = Listening()
    channel = pool.open("camera", PLAN, heard)
    film(channel, pool)
    channel.close()
    channel.close()
    (pid,) = pool.process_ids
    again = Listening()
    count = film(pool.open("camera", PLAN, again), pool)
    await again.until_packets(count)
    assert pool.process_ids == (pid,)
    assert (heard.packets, heard.fault) == ([], None)


PARENT = """
import asyncio
from streams.media.demux import DemuxPool
from tests.given.heard import Listening
from tests.streams.media.test_demux import PLAN
from vms_privacy.clock import SystemClock

async def main():
    pool = DemuxPool(SystemClock())
    pool.open("camera", PLAN, Listening())
    print(pool.process_ids[0], flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture
def orphanage() -> Iterator[subprocess.Popen[bytes]]:
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, cwd=root) as parent:
        yield parent
        parent.kill()


async def test_a_child_never_outlives_its_parent(orphanage: subprocess.Popen[bytes]) -> None:
    assert orphanage.stdout is not None
    child = psutil.Process(int(orphanage.stdout.readline()))
    orphanage.kill()
    assert await asyncio.to_thread(psutil.wait_procs, [child], 10) == ([child], [])
