"""keyring-backup-v1, section 8, opened twice: by HPKE as RFC 9180 has it, from the page alone, and by ours."""

import hmac
import json
import re
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vms_privacy.keyring.backup_rules import INFO, read_contents, read_head
from vms_privacy.keyring.envelope import (
    EnvelopeDoesNotOpen,
    NotARecipient,
    Recipient,
    RecipientPrivate,
    read_private,
    read_recipient,
)
from vms_privacy.keyring.plaintext import KeyBytes
from vms_privacy.keyring.rules import BadKeyFile

PAGE: Final = Path(__file__).parents[2] / "docs" / "formats" / "keyring-backup-v1.md"
_KEM: Final = b"KEM\x00\x20"
_SUITE: Final = b"HPKE\x00\x20\x00\x01\x00\x02"


@pytest.fixture(scope="module")
def example() -> dict[str, bytes]:
    block = re.search(r"```text\n(private half.*?)```", PAGE.read_text(), re.DOTALL)
    assert block is not None
    named = re.findall(r"^(\w[\w ]*)\n((?:  [0-9a-f]+\n)+)", block[1], re.MULTILINE)
    return {name: bytes.fromhex(value) for name, value in named}


def extract(suite: bytes, salt: bytes, label: bytes, value: bytes) -> bytes:
    """RFC 9180, 4: LabeledExtract."""
    return hmac.digest(salt, b"HPKE-v1" + suite + label + value, "sha256")


def expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """RFC 9180, 4: LabeledExpand, for at most one block."""
    told = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(key, told + b"\x01", "sha256")[:length]


def opened(private: bytes, enc: bytes, ciphertext: bytes, info: bytes) -> bytes:
    """RFC 9180, 4.1 and 5.1: Decap and the key schedule of the base mode, and the first message."""
    mine = X25519PrivateKey.from_private_bytes(private)
    shared = mine.exchange(X25519PublicKey.from_public_bytes(enc))
    context = enc + mine.public_key().public_bytes_raw()
    secret = expand(_KEM, extract(_KEM, b"", b"eae_prk", shared), b"shared_secret", context, 32)
    schedule = b"\x00" + extract(_SUITE, b"", b"psk_id_hash", b"") + extract(_SUITE, b"", b"info_hash", info)
    made = extract(_SUITE, secret, b"secret", b"")
    key, nonce = expand(_SUITE, made, b"key", schedule, 32), expand(_SUITE, made, b"base_nonce", schedule, 12)
    return AESGCM(key).decrypt(nonce, ciphertext, b"")


def test_the_example_opens_with_hpke_written_from_its_rfc(example: dict[str, bytes]) -> None:
    info = b"vms-privacy keyring-backup-v1\n" + example["line in clear"]
    found = opened(example["private half of the recipient"], example["encapsulated key"], example["ciphertext"], info)
    assert found == example["plaintext"]
    told, line = json.loads(found), json.loads(example["line in clear"])
    assert len(told["buckets"]) == line["bucket_keys"] == 1


def test_ours_opens_the_example_and_its_seal_opens_with_the_rfcs(example: dict[str, bytes]) -> None:
    private = RecipientPrivate(KeyBytes(example["private half of the recipient"]))
    head = read_head(example["line in clear"])
    assert head.recipient == private.recipient.thumbprint
    info = INFO + head.line()
    plaintext = private.open(example["encapsulated key"] + example["ciphertext"], info)
    contents = read_contents(head, plaintext)
    assert contents.packed() == example["plaintext"]
    (made,) = contents.buckets.values()
    assert (made.made_at, made.key.reveal()) == (1894708800, bytes(range(0x20, 0x40)))
    sealed = private.recipient.seal(plaintext, info)
    raw = example["private half of the recipient"]
    assert opened(raw, sealed[:32], sealed[32:], info) == plaintext
    assert private.recipient.seal(plaintext, info) != sealed


def test_any_changed_byte_of_the_example_is_refused(example: dict[str, bytes]) -> None:
    private = RecipientPrivate(KeyBytes(example["private half of the recipient"]))
    line, sealed = example["line in clear"], example["encapsulated key"] + example["ciphertext"]
    for at in range(len(line)):
        changed = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
        try:
            head = read_head(changed)
        except BadKeyFile:
            continue
        with pytest.raises(EnvelopeDoesNotOpen):
            private.open(sealed, INFO + head.line())
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(EnvelopeDoesNotOpen):
            private.open(changed, INFO + line)


@pytest.mark.parametrize(
    "change",
    [
        {"versions": {}},
        {"buckets": []},
        {"buckets": [["no id", 1, "A" * 43]]},
        {"buckets": [["00112233-4455-4677-8899-aabbccddeeff", 1, "AAAA"]]},
        {"sealing": [["receipt-signing", 1, 1, "A" * 43]]},
        {"public": [["pseudonym", 1, "A" * 43]]},
        {"public": 7},
        {"more": 1},
    ],
)
def test_what_opens_and_is_no_keyring_is_refused(example: dict[str, bytes], change: dict[str, object]) -> None:
    told = {**json.loads(example["plaintext"]), **change}
    data = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    if change == {"versions": {}}:
        data = data[:-1]
    with pytest.raises(BadKeyFile):
        read_contents(read_head(example["line in clear"]), data)


def test_the_halves_of_a_recipient_read_back_and_are_not_taken_for_each_other() -> None:
    private = RecipientPrivate(KeyBytes(bytes(range(32))))
    assert read_private(private.text.encode()).recipient.thumbprint == private.recipient.thumbprint
    assert read_recipient(private.recipient.text.encode()).thumbprint == private.recipient.thumbprint
    for read, text in (
        (read_private, private.recipient.text),
        (read_recipient, private.text),
        (read_recipient, ""),
        (read_recipient, "vms-privacy-recipient-v1 !"),
        (read_recipient, "vms-privacy-recipient-v1 AAAA"),
        (read_recipient, "vms-privacy-recipient-v1 é"),
    ):
        with pytest.raises(NotARecipient) as caught:
            read(text.encode())
        assert private.text.split()[1] not in str(caught.value)


def test_a_point_that_everybody_knows_the_secret_of_is_no_recipient() -> None:
    with pytest.raises(NotARecipient):
        Recipient(bytes(32)).seal(b"keys", b"")
