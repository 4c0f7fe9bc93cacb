"""keyring-pkcs11-v1, section 9, computed from the page alone, with our rules, and by a token."""

import hashlib
import re
import uuid
from pathlib import Path
from typing import Any

import pkcs11
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pkcs11.mechanisms import GCMParams

from tests.given.softhsm import PIN, SoftHsm
from vms_privacy.keyring.page_rules import page_place
from vms_privacy.keyring.pkcs11_rules import KNOWN_PLACE, RootCard, associated_of, object_id, packed_uses

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "keyring-pkcs11-v1.md"
KEYRING = uuid.UUID("01234567-89ab-4cde-8f01-23456789abcd")


@pytest.fixture(scope="module")
def example() -> dict[str, bytes]:
    block = re.search(r"```text\n(root\n.*?)```", PAGE.read_text(), re.DOTALL)
    assert block is not None
    named = re.findall(r"^(\w[\w ]*)\n((?:  [0-9a-f]+\n)+)", block[1], re.MULTILINE)
    return {name: bytes.fromhex(value.replace("\n", "")) for name, value in named}


def listed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def test_the_example_follows_from_the_page(example: dict[str, bytes]) -> None:
    label, owner, version = b"vms-privacy keyring-pkcs11-v1 wrap", example["keyring id"], (1).to_bytes(4, "big")
    assert example["object id"] == owner + version
    assert example["associated data of the known wrap"] == listed(label, owner, version, listed(b"known wrap"))
    known = example["known wrap"]
    assert known[:12] == example["nonce of the known wrap"]
    root = AESGCM(example["root"])
    assert root.decrypt(known[:12], known[12:], example["associated data of the known wrap"]) == bytes(32)
    card = b"VMST\x01\x00\x00\x00" + version + owner + known
    assert example["card"] == card + hashlib.sha256(card).digest()
    count = b"VMSU\x01\x00\x00\x00" + version + (4096).to_bytes(8, "big")
    assert example["count"] == count + hashlib.sha256(count).digest()
    assert example["place of the page key"] == listed(b"bucket page", b"\0\0\0\xff", version)
    assert example["associated data"] == listed(label, owner, version, example["place of the page key"])
    wrapped = example["wrapped page key"]
    assert wrapped.startswith(example["nonce"])
    assert root.decrypt(wrapped[:12], wrapped[12:], example["associated data"]) == example["page key"]
    assert (len(example["card"]), len(example["count"]), len(wrapped)) == (120, 52, 60)


def test_our_rules_give_the_example(example: dict[str, bytes]) -> None:
    place = page_place(255, 1)
    assert (KEYRING.bytes, place) == (example["keyring id"], example["place of the page key"])
    assert object_id(KEYRING, 1) == example["object id"]
    assert associated_of(KEYRING, 1, KNOWN_PLACE) == example["associated data of the known wrap"]
    assert associated_of(KEYRING, 1, place) == example["associated data"]
    assert RootCard(1, KEYRING, example["known wrap"]).packed() == example["card"]
    assert packed_uses(1, 4096) == example["count"]


def test_a_token_with_the_examples_root_gives_the_example(example: dict[str, bytes], softhsm: SoftHsm) -> None:
    place = softhsm.new_token()
    library = pkcs11.lib(str(place.library))
    library.reinitialize()
    session = library.get_token(token_label=place.label).open(rw=True, user_pin=PIN)
    root: Any = session.create_object(
        {
            pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY,
            pkcs11.Attribute.KEY_TYPE: pkcs11.KeyType.AES,
            pkcs11.Attribute.ENCRYPT: True,
            pkcs11.Attribute.VALUE: example["root"],
        }
    )
    given = GCMParams(example["nonce"], example["associated data"], 128)
    made = root.encrypt(example["page key"], mechanism=pkcs11.Mechanism.AES_GCM, mechanism_param=given)
    assert example["nonce"] + made == example["wrapped page key"]
