"""The commands without real cameras: the whole story told, and simulated cameras."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from streams.simulator.camera import CameraSimulator
from streams.simulator.reel import CameraOptions
from streams.simulator.service import Login, serve_simulators
from vms_privacy.cli.asking import PasswordFile, secret
from vms_privacy.cli.forms import table
from vms_privacy.cli.options import AsJson, command_group
from vms_privacy.cli.output import note, tell
from vms_privacy.cli.refusals import CannotListen
from vms_privacy.clock import SystemClock
from vms_privacy.demo.tale import play
from vms_privacy.demo.world import World
from vms_privacy.ids import SystemRandomness

app = command_group("Without cameras.")


@app.command("demo")
def demo(
    *,
    exit_: Annotated[bool, typer.Option("--exit", help="Stop after the story.")] = False,
    as_json: AsJson = False,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where to play and leave the evidence; by default a temporary folder, gone at the end."),
    ] = None,
) -> None:
    """Tell the whole story on simulated cameras, step by step, with what was measured; then keep serving."""
    raise typer.Exit(play(folder, as_json=as_json, then=_nothing_more if exit_ else _keep_serving))


@app.command("camera-sim")
def camera_sim(
    cameras: Annotated[int, typer.Option(min=1, max=64, help="How many; paths are cam-1, cam-2, …")] = 1,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8654,
    bframes: Annotated[int, typer.Option(min=0, max=4, help="B-pictures between two others.")] = 0,
    login: Annotated[str, typer.Option(help="The user that viewers must be; the password is asked for.")] = "",
    password_file: PasswordFile = None,
    *,
    audio: Annotated[bool, typer.Option("--audio", help="Add a tone as AAC.")] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate cameras: H.264 720p25 with number, counter, clock and canary in every picture, over RTSP."""
    wanted = Login(login, secret(password_file, "Password", "--password-file")) if login else None
    randomness, clock = SystemRandomness(), SystemClock()
    canaries = [bytes(one or 1 for one in randomness.octets(32)) for _ in range(cameras)]
    options = CameraOptions(bframes=bframes, audio="aac" if audio else None)
    made = {
        f"cam-{number}": CameraSimulator(number, canary, clock, options) for number, canary in enumerate(canaries, 1)
    }

    async def run() -> None:
        async with serve_simulators(made, host, port, randomness, wanted) as server:
            shown = {path: {"url": server.url(path), "canary": canaries[at].hex()} for at, path in enumerate(made)}
            lines = table(("camera", "url"), ((path, one["url"]) for path, one in shown.items()), "")
            tell(shown, lines, as_json=as_json)
            address = with_login(server.url("cam-1"), login)
            note(f"next: vms-privacy camera add NAME {address}\nCtrl-C stops it.")
            await asyncio.Event().wait()

    try:
        asyncio.run(run())
    except OSError as error:
        told = f"{host}:{port} cannot be had: {error.strerror or type(error).__name__}"
        raise CannotListen(told, next="name another one with --port; 0 takes a free one") from None


def with_login(url: str, login: str) -> str:
    """Return a camera's URL with the log-in at it, if there is one; whoever adds it is asked for the password."""
    return url.replace("://", f"://{quote(login, safe='')}@", 1) if login else url


def _nothing_more(_: World) -> None:
    """Let the service end with the story."""


def _keep_serving(world: World) -> None:
    note(f"\nServing at {world.url}, API {world.url}/docs, until Ctrl-C. These log-ins end with it:")
    for one in world.log_ins:
        note(f"  {one.who:16} {one.login:32} {one.password}")
    try:
        asyncio.run(asyncio.Event().wait())
    except KeyboardInterrupt:
        sys.stderr.write("\nstopping\n")
        return
