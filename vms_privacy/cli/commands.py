"""The commands that work on this machine: install, serve, check and verify."""

import asyncio
import base64
import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from prometheus_client import CollectorRegistry

from archive.receipts.rules import Valid, extract
from archive.receipts.service import verify as verify_receipt
from streams.simulator.camera import CameraSimulator
from streams.simulator.reel import CameraOptions
from streams.simulator.service import Login, serve_simulators
from vms_privacy.app import Assembly
from vms_privacy.audit.verify import verify as verify_audit
from vms_privacy.cli.output import tell, tell_error
from vms_privacy.cli.remote import camera_app, operator_app
from vms_privacy.clock import SystemClock
from vms_privacy.db import Database
from vms_privacy.demo.tale import play
from vms_privacy.demo.world import World
from vms_privacy.faces import build_api
from vms_privacy.ids import SystemRandomness
from vms_privacy.install import initialise, new_bootstrap_code, refuse_unless_ready
from vms_privacy.journal.journal import verify_journal
from vms_privacy.keyring.port import PublicKey, Purpose
from vms_privacy.migrations import migrate as migrate_database
from vms_privacy.serve import Running
from vms_privacy.settings import Settings, manual

app = typer.Typer(
    help="Data protection for video surveillance, enforced and proven.", no_args_is_help=True, add_completion=False
)
verify_app = typer.Typer(help="Verify receipts, the audit and the journal.", no_args_is_help=True)
receipt_app = typer.Typer(help="Work on receipts as files.", no_args_is_help=True)
app.add_typer(verify_app, name="verify")
app.add_typer(receipt_app, name="receipt")
app.add_typer(camera_app, name="camera")
app.add_typer(operator_app, name="operator")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines for people.")]
DataDir = Annotated[Path | None, typer.Option(help="Data folder; VMS_DATA_DIR and other settings apply as well.")]


def _settings(data_dir: Path | None) -> Settings:
    return Settings() if data_dir is None else Settings(data_dir=data_dir.absolute())


@app.command()
def demo(
    *,
    exit_: Annotated[bool, typer.Option("--exit", help="Stop after the story.")] = False,
    as_json: AsJson = False,
    folder: Annotated[Path | None, typer.Option(help="Where to play; a temporary folder by default.")] = None,
) -> None:
    """Tell the whole story on simulated cameras, step by step, with what was measured; then keep serving."""
    raise typer.Exit(play(folder, as_json=as_json, then=_nothing_more if exit_ else _keep_serving))


def _nothing_more(_: World) -> None:
    """Let the service end with the story."""


def _keep_serving(world: World) -> None:
    sys.stderr.write(f"\nServing at {world.url}, API {world.url}/api/v1, until Ctrl-C. These log-ins end with it:\n")
    for one in world.log_ins:
        sys.stderr.write(f"  {one.who:16} {one.login:32} {one.password}\n")
    try:
        asyncio.run(asyncio.Event().wait())
    except KeyboardInterrupt:
        sys.stderr.write("\nstopping\n")
        return


@app.command("init")
def init(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Make an installation: database, keyring, journal, store, and a bootstrap code that is shown once."""
    made = initialise(_settings(data_dir))
    tell(
        {
            "data_dir": made.data_dir,
            "installation_id": made.installation_id,
            "bootstrap_code": made.bootstrap_code,
            "next": "start the service (vms-privacy serve), then: vms-privacy operator setup",
        },
        as_json=as_json,
    )


@app.command("bootstrap-code")
def bootstrap_code(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Make another bootstrap code where the first was lost; the old one stops working."""
    tell({"bootstrap_code": new_bootstrap_code(_settings(data_dir))}, as_json=as_json)


@app.command("migrate")
def migrate(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Bring the database to this program's version. Back up before."""
    db = Database(_settings(data_dir).url)
    try:
        migrate_database(db.engine)
    finally:
        db.close()
    tell({"schema": "current"}, as_json=as_json)


@app.command("serve")
def serve(data_dir: DataDir = None) -> None:
    """Run the service until a signal ends it."""
    settings = _settings(data_dir)
    refuse_unless_ready(settings)
    sys.stderr.write(f"serving on http{'s' if settings.tls_key else ''}://{settings.host}:{settings.port}\n")
    Running(Assembly(settings)).serve()


@app.command("check")
def check_command(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Account for every second, row, blob and key. Works beside a running service."""
    settings = _settings(data_dir)
    refuse_unless_ready(settings)
    report = Assembly(settings).checker(is_service=False).check()
    tell(
        {"clean": report.is_clean, "totals": report.totals, "findings": [str(one) for one in report.findings]},
        as_json=as_json,
    )
    raise typer.Exit(0 if report.is_clean else 6)


@verify_app.command("receipt")
def verify_receipt_command(
    file: Annotated[Path, typer.Argument(help="The receipt, or an extract of one.")],
    keys: Annotated[Path, typer.Option(help="The installation's public keys, as /api/v1/receipt-keys gives them.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Verify a receipt offline. Needs nothing but the two files."""
    verdict = verify_receipt(file.read_bytes(), _public_keys(keys))
    if isinstance(verdict, Valid):
        told = {
            "valid": True,
            "receipt_id": verdict.head["receipt_id"],
            "operator_id": verdict.head["operator_id"],
            "signed_at": verdict.head["signed_at"],
            "segments": len(verdict.leaves),
            "is_extract": verdict.partial,
            "cannot_prove": verdict.head["cannot_prove"],
        }
        tell(told, as_json=as_json)
        return
    tell({"valid": False, "code": verdict.code, "why": verdict.why}, as_json=as_json)
    raise typer.Exit(6)


@verify_app.command("audit")
def verify_audit_command(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Verify the whole audit against its anchor."""
    settings = _settings(data_dir)
    refuse_unless_ready(settings)
    parts = Assembly(settings)
    verdict = verify_audit(parts.db, parts.anchor, parts.keyring.public_keys(Purpose.CHECKPOINT_SIGNING))
    tell(
        {
            "ok": verdict.ok,
            "events": verdict.events,
            "sealed": verdict.sealed,
            "checkpoints": verdict.checkpoints,
            "first_bad": verdict.first_bad,
            "reason": verdict.reason,
        },
        as_json=as_json,
    )
    raise typer.Exit(0 if verdict.ok else 6)


@verify_app.command("journal")
def verify_journal_command(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Verify the custody journal."""
    verdict = verify_journal(_settings(data_dir).journal)
    tell({"ok": verdict.ok, "first_bad": verdict.first_bad, "reason": verdict.reason}, as_json=as_json)
    raise typer.Exit(0 if verdict.ok else 6)


@receipt_app.command("extract")
def extract_command(
    file: Annotated[Path, typer.Argument(help="A whole receipt.")],
    camera: Annotated[str, typer.Option(help="The camera's id.")],
    to: Annotated[Path, typer.Option(help="Where to write the extract.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Write one camera's part of a receipt, with its proof; it verifies by itself."""
    part = extract(file.read_bytes(), camera)
    to.write_bytes(part)
    tell({"written": to, "segments": part.count(b"\n") - 3}, as_json=as_json)


@app.command("camera-sim")
def camera_sim(
    cameras: Annotated[int, typer.Option(min=1, max=64, help="How many; paths are cam-1, cam-2, …")] = 1,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8654,
    bframes: Annotated[int, typer.Option(min=0, max=4, help="B-pictures between two others.")] = 0,
    login: Annotated[str, typer.Option(help="user:password that viewers must send.")] = "",
    *,
    audio: Annotated[bool, typer.Option(help="Add a tone as AAC.")] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate cameras: H.264 720p25 with number, counter, clock and canary in every picture, over RTSP."""
    randomness, clock = SystemRandomness(), SystemClock()
    canaries = [bytes(one or 1 for one in randomness.octets(32)) for _ in range(cameras)]
    made = {
        f"cam-{number}": CameraSimulator(
            number, canary, clock, CameraOptions(bframes=bframes, audio="aac" if audio else None)
        )
        for number, canary in enumerate(canaries, 1)
    }
    user, _, password = login.partition(":")

    async def run() -> None:
        async with serve_simulators(made, host, port, randomness, Login(user, password) if login else None) as server:
            shown = {path: {"url": server.url(path), "canary": canaries[at].hex()} for at, path in enumerate(made)}
            tell(shown, as_json=as_json)
            sys.stdout.flush()
            await asyncio.Event().wait()

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        return


@app.command("openapi")
def openapi(
    write: Annotated[Path | None, typer.Option(help="Write the document here.")] = None,
    check_: Annotated[Path | None, typer.Option("--check", help="Fail if this file is not up to date.")] = None,
) -> None:
    """Print, write or compare the OpenAPI document."""
    with tempfile.TemporaryDirectory() as folder:
        # The document needs parts, and parts need an installation: one that is thrown away.
        settings = Settings(data_dir=Path(folder) / "data")
        initialise(settings)
        api = build_api(Assembly(settings), {}, CollectorRegistry())
        text = json.dumps(api.openapi(), indent=1, sort_keys=True) + "\n"
    _generated(text, write, check_)


@app.command("settings-manual")
def settings_manual(
    write: Annotated[Path | None, typer.Option(help="Write the page here.")] = None,
    check_: Annotated[Path | None, typer.Option("--check", help="Fail if this file is not up to date.")] = None,
) -> None:
    """Print, write or compare the operator's page about settings."""
    _generated(manual(), write, check_)


def _generated(text: str, write: Path | None, compare: Path | None) -> None:
    if write is not None:
        write.write_text(text)
    elif compare is not None:
        if not compare.exists() or compare.read_text() != text:
            tell_error("stale", f"{compare} is not up to date; run: make openapi")
            raise typer.Exit(1)
    else:
        sys.stdout.write(text)


def _public_keys(file: Path) -> list[PublicKey]:
    told = json.loads(file.read_bytes())
    return [
        PublicKey(one["kid"], base64.urlsafe_b64decode(one["public_key"] + "=" * (-len(one["public_key"]) % 4)))
        for one in told["keys"]
    ]
