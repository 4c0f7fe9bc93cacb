"""One line for each command, as somebody would type it where nothing is: no installation, no service, no log-in."""

from collections.abc import Mapping
from pathlib import Path

FILE = Path(__file__)
_STRETCH = ("--from", "2026-01-31T08:00:00Z", "--until", "2026-01-31T08:05:00Z")
_WHY = ("--case", "2026/17", "--authority", "district court", "--reason", "an accident at the gate")


def where_nothing_is(folder: Path, taken_port: int) -> Mapping[str, tuple[tuple[object, ...], int]]:
    """Return for each command its further words, and the exit code that they must lead to."""
    nothing = ("--data-dir", folder / "nothing")
    afterwards = folder / "afterwards"
    return {
        "init": (("--data-dir", folder / "made"), 0),
        "bootstrap-code": (nothing, 5),
        "migrate": (nothing, 5),
        "serve": (nothing, 5),
        "status": ((), 7),
        "check": (nothing, 5),
        "why": (("yard", "2026-01-31T08:00:00Z"), 3),
        "audit": ((), 3),
        "problems": (("no-such-camera",), 0),
        "openapi": ((), 0),
        "settings-manual": ((), 0),
        "demo": (("--exit", "--folder", FILE), 7),
        "camera-sim": (("--port", taken_port), 5),
        "keys status": (nothing, 5),
        "keys rotate": (("receipt-signing", *nothing), 5),
        "clock show": ((), 3),
        "clock settle": (("ticket-4711",), 3),
        "operator setup": ((), 2),
        "operator enrol": ((), 2),
        "operator log-in": ((), 2),
        "operator log-out": ((), 3),
        "operator who": ((), 3),
        "operator password": ((), 3),
        "operator people": ((), 3),
        "operator invite": (("anna",), 3),
        "operator disable": (("anna",), 3),
        "operator grants": ((), 3),
        "operator grant": (("anna", "viewer"), 3),
        "operator withdraw": (("no-grant",), 3),
        "operator retention": ((), 3),
        "camera add": (("yard", "rtsp://127.0.0.1/x"), 3),
        "camera list": ((), 3),
        "camera show": (("yard",), 3),
        "camera change": (("yard", "--title", "Yard"), 3),
        "session list": ((), 3),
        "session cut": (("no-session",), 3),
        "camera remove": (("yard",), 3),
        "camera opt-in": (("yard",), 3),
        "camera withdraw": (("yard",), 3),
        "camera opt-ins": (("yard",), 3),
        "camera retention": (("yard", "PT48H"), 3),
        "camera watch": (("yard",), 3),
        "camera ranges": (("yard",), 3),
        "camera archive": (("yard", "2026-01-31T08:00:00Z", "PT5M"), 3),
        "erase preview": (("yard", *_STRETCH), 3),
        "erase propose": (("yard", *_STRETCH, "--reference", "17", "--reason", "somebody is to be seen in it"), 3),
        "erase list": ((), 3),
        "hold place": (("yard", "--from", "2026-01-31T08:00:00Z", *_WHY, "--ground", "court-order"), 3),
        "hold list": ((), 3),
        "hold people": (("yard", "no-order", "--person", "anna"), 3),
        "hold review": (("yard", "no-order"), 3),
        "hold end": (("yard", "no-order", "--reason", "closed"), 3),
        "restriction place": (("yard", "--from", "2026-01-31T08:00:00Z", *_WHY, "--ground", "objection-pending"), 3),
        "restriction list": ((), 3),
        "restriction review": (("yard", "no-order"), 3),
        "restriction end": (
            ("yard", "no-order", "--reason", "it was accurate", "--told-at", "2026-01-31T08:00:00Z"),
            3,
        ),
        "approval list": ((), 3),
        "approval approve": (("no-proposal",), 3),
        "approval refuse": (("no-proposal",), 3),
        "receipt list": ((), 3),
        "receipt sign": ((), 3),
        "receipt fetch": (("no-receipt", "--to", afterwards), 3),
        "receipt keys": (("--to", afterwards), 7),
        "receipt extract": ((folder / "no-file", "--camera-id", "x", "--to", afterwards), 4),
        "verify receipt": ((FILE, "--keys", FILE), 2),
        "verify audit": (nothing, 5),
        "verify journal": (nothing, 5),
    }
