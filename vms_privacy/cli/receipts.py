"""The commands about receipts and summaries: list, fetch, sign, extract, and get the keys that verify them."""

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from archive.receipts.lines import Invalid
from archive.receipts.rules import LARGEST_BYTES, cameras_of
from archive.receipts.rules import extract as extract_of
from archive.receipts.service import read_history
from vms_privacy.cli.files import read_up_to, write_new
from vms_privacy.cli.forms import facts, moment, size, table
from vms_privacy.cli.options import DEFAULT_URL, AsJson, Url, command_group
from vms_privacy.cli.output import tell
from vms_privacy.cli.refusals import CameraNotInReceipt, NotAWholeReceipt, NotReceiptKeys
from vms_privacy.cli.session import Service, logged_in

app = command_group("Receipts: the signed evidence of what was destroyed.")

To = Annotated[Path, typer.Option(metavar="FILE", help="Where to write it.", show_default=False)]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="At most so many, the newest.")]


@app.command("list")
def list_receipts(limit: Limit = 20, url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """List your operator's receipts, newest first."""
    session = logged_in(url)
    found = session.service.call("GET", f"{session.path}/receipts", None, limit=limit)
    rows = (
        (one["id"], one["kind"], moment(one["signed_at"]), moment(one["covers_from"]), one["leaves"]) for one in found
    )
    empty = "No receipt yet: one is signed every hour in which something was destroyed, or now with `receipt sign`."
    tell(
        {"items": found}, table(("receipt", "kind", "signed", "covers from", "segments"), rows, empty), as_json=as_json
    )


@app.command("sign")
def sign(url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Have receipts signed now over everything destroyed since the last: over what expired, and of each request."""
    session = logged_in(url)
    made = session.service.call("POST", f"{session.path}/receipts")
    rows = ((one["id"], one["kind"], moment(one["signed_at"]), one["leaves"]) for one in made)
    shown = table(("receipt", "kind", "signed", "segments"), rows, "")
    tell({"items": made}, [*shown, f"Next: vms-privacy receipt fetch {made[0]['id']} --to FILE"], as_json=as_json)


@app.command("fetch")
def fetch(
    receipt: Annotated[str, typer.Argument(metavar="ID", help="As `receipt list` shows it.", show_default=False)],
    to: To,
    camera: Annotated[
        str, typer.Option(metavar="NAME", help="Only this camera's part, which verifies by itself.")
    ] = "",
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Fetch the exact bytes of a receipt into a file."""
    session = logged_in(url)
    query = {"camera_id": session.camera(camera)["camera_id"]} if camera else {}
    document = session.service.fetch(f"{session.path}/receipts/{quote(receipt, safe='')}/document", **query)
    _written(to, document, f"Next: vms-privacy verify receipt {to} --keys KEYS", as_json=as_json)


@app.command("keys")
def keys(to: To, url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """Write the key history that verifies this installation's receipts; nobody has to be logged in for it."""
    document = Service(url).fetch("/api/v1/receipt-keys/document")
    history = read_history(document)
    if isinstance(history, Invalid):
        raise NotReceiptKeys(f"what the service gave out is no key history: {history.why}")
    write_new(to, document)
    found = {
        "written": to,
        "bytes": len(document),
        "installation_id": history.installation_id,
        "fingerprint": history.fingerprint,
        "keys": len(history.keys),
    }
    told = {
        "written": f"{to}  {size(len(document))}",
        "fingerprint": f"{history.fingerprint}, of the key in use",
        "keys": f"{len(history.keys)}, of all versions",
    }
    after = [
        "Keep it outside of this installation, and write the fingerprint down elsewhere.",
        f"Next: vms-privacy verify receipt FILE --keys {to} --fingerprint {history.fingerprint}",
    ]
    tell(found, [*facts(told), *after], as_json=as_json)


@app.command("summaries")
def summaries(limit: Limit = 24, url: Url = DEFAULT_URL, *, as_json: AsJson = False) -> None:
    """List your operator's monthly summaries, newest first. A month in which nothing was destroyed has one too."""
    session = logged_in(url)
    found = session.service.call("GET", f"{session.path}/receipt-summaries", None, limit=limit)
    rows = ((one["month"], one["receipts"], one["segments"], moment(one["signed_at"])) for one in found)
    empty = "No summary yet: one is signed an hour after the end of each month."
    tell({"items": found}, table(("month", "receipts", "segments", "signed"), rows, empty), as_json=as_json)


@app.command("summary")
def summary(
    month: Annotated[str, typer.Argument(metavar="MONTH", help="As `receipt summaries` shows it.", show_default=False)],
    to: To,
    url: Url = DEFAULT_URL,
    *,
    as_json: AsJson = False,
) -> None:
    """Fetch the exact bytes of a month's summary into a file."""
    session = logged_in(url)
    document = session.service.fetch(f"{session.path}/receipt-summaries/{quote(month, safe='')}/document")
    _written(to, document, f"Next: vms-privacy verify summary {to} --keys KEYS --receipts FOLDER", as_json=as_json)


@app.command("extract")
def extract(
    file: Annotated[Path, typer.Argument(help="A whole receipt.", show_default=False)],
    camera_id: Annotated[
        str, typer.Option(metavar="ID", help="The camera's id, as the receipt has it.", show_default=False)
    ],
    to: To,
    *,
    as_json: AsJson = False,
) -> None:
    """Write one camera's part of a receipt, with its proof; it verifies by itself. Works offline."""
    receipt = read_up_to(file, LARGEST_BYTES)
    cameras = cameras_of(receipt)
    if isinstance(cameras, Invalid):
        raise NotAWholeReceipt(f"of {file} no part can be taken: {cameras.why}")
    if camera_id not in cameras:
        raise CameraNotInReceipt(
            f"the receipt tells of no camera {camera_id}; it tells of: {', '.join(cameras) or 'none'}"
        )
    _written(to, extract_of(receipt, camera_id), "Verify it like a whole receipt.", as_json=as_json)


def _written(to: Path, data: bytes, next_step: str, *, as_json: bool) -> None:
    write_new(to, data)
    tell({"written": to, "bytes": len(data)}, [f"{to}  {size(len(data))}", next_step], as_json=as_json)
