"""The step about receipts, and reading them as a stranger does: from their bytes and the public keys alone."""

import json
from typing import Any

from archive.receipts.key_history import KeyHistory
from archive.receipts.rules import Valid
from archive.receipts.service import read_history, verify
from vms_privacy.demo.story import Detail, DoesNotHold, hold
from vms_privacy.demo.viewer import fetch
from vms_privacy.demo.world import World


def receipt_verifies(world: World) -> Detail:
    """Have receipts signed, verify them with nothing but the public keys, and change each byte of one."""
    keys = keys_of(world)
    signed = {one: read(world, keys, one) for one in signed_now(world)}
    told = {leaf["segment_id"] for one in signed.values() for leaf in one.leaves}
    hold({str(one) for one in world.kept["erased"]} <= told, "they tell of every destroyed segment")
    expired = next(name for name, one in signed.items() if "mandates" not in one.head)
    document = document_of(world, expired)
    accepted = [at for at in range(len(document)) if isinstance(verify(_changed(document, at), keys), Valid)]
    hold(not accepted, f"no changed byte is accepted, but {accepted[:5]}")
    path = world.folder / "receipt.txt"
    path.write_bytes(document)
    return {"receipt": str(path), "leaves": len(told), "bytes changed one by one": len(document), "accepted": 0}


def signed_now(world: World) -> list[str]:
    """Have receipts signed over what none tells of yet, if there is anything; return the ids of all there are."""
    path = f"/api/v1/operators/{world.north.operator_id}/receipts"
    answer = world.north.owner.ask("POST", path)
    # The service signs by itself too: then nothing is left to tell.
    hold(answer.status in (201, 409), f"receipts are signed, but: {answer.status}")
    return [str(one["id"]) for one in world.north.owner.call("GET", path)]


def keys_of(world: World) -> KeyHistory:
    """Return the installation's keys, as anyone gets them."""
    keys = read_history(world.north.owner.fetch("/api/v1/receipt-keys/document"))
    if not isinstance(keys, KeyHistory):
        raise DoesNotHold(f"the key history is valid: {keys}")
    return keys


def document_of(world: World, receipt: str) -> bytes:
    """Return the exact bytes of a receipt."""
    operator = world.north.operator_id
    return fetch(world.north.owner, f"{world.url}/api/v1/operators/{operator}/receipts/{receipt}/document")


def head_of(world: World, receipt: str) -> dict[str, Any]:
    """Return what a receipt says, whoever has signed it."""
    head: dict[str, Any] = json.loads(document_of(world, receipt).split(b"\n")[1])
    return head


def read(world: World, keys: KeyHistory, receipt: str) -> Valid:
    """Return what a receipt says. Raises DoesNotHold if it does not verify."""
    verdict = verify(document_of(world, receipt), keys)
    if not isinstance(verdict, Valid):
        raise DoesNotHold(f"the receipt is valid: {verdict}")
    return verdict


def _changed(document: bytes, at: int) -> bytes:
    return document[:at] + bytes([document[at] ^ 1]) + document[at + 1 :]
