"""Bad cameras of every kind beside a good one, in one running service: each is named by its code, the good one whole.

Raw servers say what no camera should; all of them at once, so that one cannot be bought with another.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from streams.simulator.camera import CameraSimulator
from streams.simulator.reading import read_bar_codes
from streams.simulator.reel import CameraOptions
from streams.simulator.service import Login, SimulatorThread
from tests.given.players import whole_fragments
from tests.given.ports import free_port
from tests.given.scripted_camera import AUDIO, HEAD, Conversation, Handler, scripted_camera
from tests.given.site import Site, site
from tests.given.tls import make_certificate, server_context
from vms_privacy.clock import SystemClock
from vms_privacy.ids import SystemRandomness

pytestmark = [pytest.mark.story, pytest.mark.timeout(180)]

CANARY = bytes(range(1, 33))
PASSWORD = "a-password-that-nobody-shall-see"
WITHIN_S = 40.0


async def says_garbage(camera: Conversation) -> None:
    await camera.question()
    await camera.send(b"\xff\xd8\xff\xe0 this is no RTSP\r\n\r\n" * 100)
    await camera.until_gone()


async def sends_a_head_without_end(camera: Conversation) -> None:
    await camera.question()
    await camera.send(b"RTSP/1.0 200 OK\r\n")
    for _ in range(1024):
        await camera.send(b"X-More: " + b"x" * 1014 + b"\r\n")
    await camera.until_gone()


async def sends_a_body_without_end(camera: Conversation) -> None:
    _, sequence = await camera.question()
    await camera.answer(sequence, headers="Content-Type: application/sdp\r\n", body="x" * 1024 * 1024)
    await camera.until_gone()


async def has_no_video(camera: Conversation) -> None:
    await camera.until_play(HEAD + AUDIO)


async def has_a_codec_of_its_own(camera: Conversation) -> None:
    await camera.until_play(HEAD + "m=video 0 RTP/AVP 96\r\na=rtpmap:96 VP9/90000\r\na=control:video\r\n")


async def hangs_up(camera: Conversation) -> None:
    await camera.until_play()


async def never_sends_a_picture(camera: Conversation) -> None:
    await camera.until_play()
    await camera.until_gone()


async def never_answers(camera: Conversation) -> None:
    await camera.until_gone()


def redirects_to(port: int) -> Handler:
    async def redirect(camera: Conversation) -> None:
        _, sequence = await camera.question()
        await camera.answer(sequence, "302 Found", headers=f"Location: rtsp://127.0.0.1:{port}/cam\r\n")
        await camera.until_gone()

    return redirect


SCRIPTED: dict[str, tuple[Handler, str]] = {
    "garbage": (says_garbage, "garbage"),
    "endless-head": (sends_a_head_without_end, "head-too-large"),
    "large-body": (sends_a_body_without_end, "body-too-large"),
    "no-video": (has_no_video, "no-video"),
    "strange-codec": (has_a_codec_of_its_own, "unsupported-codec"),
    "hangs-up": (hangs_up, "ended-by-camera"),
    "no-picture": (never_sends_a_picture, "stalled"),
    "silent": (never_answers, "unreachable"),
}


@asynccontextmanager
async def bad_cameras(folder: Path) -> AsyncIterator[tuple[dict[str, str], dict[str, str]]]:
    """Serve bad cameras; yield the address of each, and the code that each must have."""
    async with AsyncExitStack() as stack:
        addresses, codes = {}, {}
        for name, (handler, code) in SCRIPTED.items():
            camera = await stack.enter_async_context(scripted_camera(handler))
            addresses[name], codes[name] = camera.url, code
        elsewhere = await stack.enter_async_context(scripted_camera(never_answers))
        redirecting = await stack.enter_async_context(scripted_camera(redirects_to(elsewhere.port)))
        tls = server_context(*make_certificate(folder))
        unverified = await stack.enter_async_context(scripted_camera(never_answers, tls))
        yield (
            addresses
            | {
                "redirects": redirecting.url,
                "unverified": unverified.url.replace("rtsp://", "rtsps://"),
                "nobody-there": f"rtsp://127.0.0.1:{free_port()}/cam",
                # A name that leads elsewhere without any name server: the system reads it as 203.0.113.7.
                "not-allowed": "rtsp://0xcb007107/cam",
            },
            codes
            | {
                "redirects": "redirect-refused",
                "unverified": "tls-not-verified",
                "nobody-there": "unreachable",
                "not-allowed": "address-not-allowed",
            },
        )
        assert elsewhere.conversations == [], "a redirect was followed"


def codes_of(here: Site, names: list[str]) -> dict[str, str]:
    """Wait until each camera has failed; return why."""
    return {name: here.until_status(name, lambda told: told["why"], WITHIN_S)["why"] for name in names}


def run(here: Site, addresses: dict[str, str], simulators: SimulatorThread, stalls: CameraSimulator) -> dict[str, str]:
    """Add all cameras, have the good one recorded meanwhile, and return what is said of the bad ones."""
    right, wrong = f"camera:{PASSWORD}", f"camera:not-{PASSWORD}"
    good, stalling = simulators.url("good"), simulators.url("stalls")
    here.add("good", good.replace("rtsp://", f"rtsp://{right}@"))
    here.add("stalls", stalling.replace("rtsp://", f"rtsp://{right}@"))
    here.running("good")
    here.running("stalls")
    here.opt_in("good")
    for name, address in addresses.items():
        here.add(name, address, plain_exception="a test")
    here.add("wrong-password", good.replace("rtsp://", f"rtsp://{wrong}@"))
    here.add("no-password", good)
    stalls.stall()
    names = [*addresses, "stalls", "wrong-password", "no-password"]
    said = codes_of(here, names)
    assert not any(PASSWORD in str(here.status(name)) for name in names)
    assert "vp9" in here.status("strange-codec")["detail"]
    return said


async def test_each_bad_camera_is_named_and_the_good_one_beside_them_loses_nothing(tmp_path: Path) -> None:
    clock, randomness = SystemClock(), SystemRandomness()
    good = CameraSimulator(1, CANARY, clock, CameraOptions(gop=25))
    stalls = CameraSimulator(2, CANARY, clock, CameraOptions(width=320, height=180))
    login = Login("camera", PASSWORD)
    async with bad_cameras(tmp_path) as (addresses, codes):
        with SimulatorThread({"good": good, "stalls": stalls}, randomness, login=login) as simulators:
            with site(tmp_path) as (here, _):
                said = await asyncio.to_thread(run, here, addresses, simulators, stalls)
                await asyncio.to_thread(here.withdraw, "good")
                told = here.status("good")
                live = await asyncio.to_thread(here.watched, "good", 3)
                media = await asyncio.to_thread(lambda: here.fetched(here.archive("good")))
                stalls.go_on()
    wrong = {"stalls": "stalled", "wrong-password": "wrong-password", "no-password": "wrong-password"}
    assert said == codes | wrong
    assert (told["state"], told["reconnects"], told["lost"]) == ("running", 0, 0)
    for pictures in (read_bar_codes(whole_fragments(live)), read_bar_codes(media)):
        counters = [code.counter for code in pictures]
        assert {code.camera for code in pictures} == {1}
        assert counters == list(range(counters[0], counters[-1] + 1))
    assert len(read_bar_codes(media)) > 200
