"""keyring-v2, section 11, computed twice: from the page alone, and with the keyring."""

import hashlib
import re
import uuid
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.given.clock import HandClock
from tests.given.pages import page_with
from vms_privacy.ids import BucketKeyId
from vms_privacy.keyring.file_keyring import FileKeyring
from vms_privacy.keyring.plaintext import KeyBytes

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "keyring-v2.md"
BUCKET_KEY = BucketKeyId(uuid.UUID("00112233-4455-4677-8899-aabbccddeeff"))


@pytest.fixture(scope="module")
def example() -> dict[str, bytes]:
    block = re.search(r"```text\n(root\n.*?)```", PAGE.read_text(), re.DOTALL)
    assert block is not None
    named = re.findall(r"^(\w[\w ]*)\n((?:  [0-9a-f]+\n)+)", block[1], re.MULTILINE)
    return {name: bytes.fromhex(value) for name, value in named}


def listed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def opened(key: bytes, wrapped: bytes, context: bytes, associated: bytes) -> tuple[bytes, bytes, bytes]:
    salt, sealed = wrapped[:24], wrapped[24:]
    info = listed(b"vms-privacy keyring-v1 wrap", context)
    made = HKDF(algorithm=SHA256(), length=44, salt=salt, info=info).derive(key)
    return made[:32], made[32:], AESGCM(made[:32]).decrypt(made[32:], sealed, listed(context, associated))


def test_the_example_follows_from_the_page(example: dict[str, bytes]) -> None:
    root_file = example["root file"]
    assert root_file[12:44] == example["root"]
    assert hashlib.sha256(root_file[:44]).digest() == root_file[44:]
    number, version, made_at = b"\0\0\0\xff", b"\0\0\0\1", (1_894_708_800).to_bytes(8, "big")
    assert example["place of the page key"] == listed(b"bucket page", number, version)
    assert example["wrapped page key"].startswith(example["salt of the page key"])
    of_page = opened(example["root"], example["wrapped page key"], example["place of the page key"], b"")
    assert of_page == (example["wrap key of the page key"], example["nonce of the page key"], example["page key"])
    assert example["place"] == listed(b"bucket key", b"archive-bucket", BUCKET_KEY.bytes, made_at)
    assert example["wrapped bucket key"].startswith(example["salt"])
    of_bucket = opened(example["page key"], example["wrapped bucket key"], example["place"], b"")
    assert of_bucket == (example["wrap key"], example["nonce"], example["bucket key"])
    head = b"VMSP\1\0\0\0" + version + number + example["edition"] + b"\0\0\0\1" + b"\0\0\0\x48"
    entry = BUCKET_KEY.bytes + made_at + example["wrapped bucket key"]
    page = head + example["wrapped page key"] + entry
    assert example["page"] == page + hashlib.sha256(page).digest()
    wrapped = example["wrapped segment key"]
    assert wrapped.startswith(b"\x01" + example["salt of the segment key"])
    of_segment = opened(
        example["bucket key"], wrapped[1:], example["context of the segment key"], example["associated"]
    )
    assert of_segment == (
        example["wrap key of the segment key"],
        example["nonce of the segment key"],
        example["segment key"],
    )


class Told:
    """Randomness that gives what the page gives."""

    def __init__(self, *values: bytes) -> None:
        self.values = list(values)

    def octets(self, count: int) -> bytes:
        value = self.values.pop(0)
        assert len(value) == count
        return value

    def uuid(self) -> uuid.UUID:
        return BUCKET_KEY


def a_keyring_with_the_root_of(example: dict[str, bytes], folder: Path, randomness: Told) -> FileKeyring:
    for name in ("", "roots", "buckets"):
        (folder / name).mkdir(mode=0o700)
    manifest = (
        b'{"condemned": [], "current": 1, "format": "vms-privacy-keyring-v2", '
        b'"keyring": "00000000-0000-4000-8000-000000000000", "making": null, "retiring": [], "since": 1894708800, '
        b'"until": 1897300800, "versions": {}}'
    )
    for name, data in (("lock", b""), ("manifest", manifest), ("roots/000001.root", example["root file"])):
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o600)
    return FileKeyring(folder, HandClock(), randomness)


def test_the_keyring_writes_exactly_the_example(example: dict[str, bytes], tmp_path: Path) -> None:
    told = ("bucket key", "page key", "salt of the page key", "edition", "salt", "edition", "salt of the segment key")
    keyring = a_keyring_with_the_root_of(example, tmp_path / "keyring", Told(*(example[name] for name in told)))
    assert keyring.create_bucket_key() == BUCKET_KEY
    assert page_with(tmp_path / "keyring", BUCKET_KEY).read_bytes() == example["page"]
    wrapped = keyring.wrap_in_bucket(BUCKET_KEY, KeyBytes(example["segment key"]), example["associated"])
    assert wrapped == example["wrapped segment key"]


def test_the_keyring_reads_the_example(example: dict[str, bytes], tmp_path: Path) -> None:
    keyring = a_keyring_with_the_root_of(example, tmp_path / "keyring", Told())
    path = page_with(tmp_path / "keyring", BUCKET_KEY)
    path.write_bytes(example["page"])
    path.chmod(0o600)
    key = keyring.unwrap_in_bucket(BUCKET_KEY, example["wrapped segment key"], example["associated"])
    assert key.reveal() == example["segment key"]


def test_the_tests_that_the_page_names_exist() -> None:
    tests = Path(__file__).parents[1]
    sources = "".join(
        (tests / name).read_text()
        for name in (
            "contracts/test_keyring.py",
            "properties/test_keyring.py",
            "properties/test_root_rotations.py",
            "vms_privacy/test_file_keyring.py",
            "vms_privacy/test_file_keyring_files.py",
            "vms_privacy/test_root_rotation.py",
            "vms_privacy/test_root_care.py",
            "vms_privacy/test_keyring_of_v1.py",
        )
    )
    named = re.findall(r"`((?:test_|Any)\w+)`", PAGE.read_text())
    assert len(named) > 12
    assert [name for name in named if f"def {name}(" not in sources and f"class {name}(" not in sources] == []
