"""A receipt holds exactly as it was signed."""

import base64
import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st

from archive.receipts import merkle, rules
from archive.receipts.key_history import ACTIVE, KeyHistory, KnownKey
from archive.receipts.lines import Invalid
from archive.receipts.rules import Head, Leaf, Valid, extract, signed_part, write

_KEY = b"for the test alone, of 32 bytes!"
_HISTORY = KeyHistory(
    "i1", "2030-01-15T12:00:00.000000Z", (KnownKey(1, "k1", _KEY, ACTIVE, "2030-01-01T12:00:00.000000Z", None, None),)
)


def _sign(message: bytes) -> bytes:
    return hmac.digest(_KEY, message, "sha512")


def _verify(key: bytes, message: bytes, signature: bytes) -> bool:
    return hmac.compare_digest(hmac.digest(key, message, "sha512"), signature)


def check(receipt: bytes) -> Valid | Invalid:
    return rules.check(receipt, _HISTORY, _verify)


def _leaf(number: int, camera: str) -> Leaf:
    return Leaf(
        camera_id=camera,
        segment_id=f"s{number}",
        captured_from="2030-01-15T12:00:00.000000Z",
        captured_until="2030-01-15T12:01:00.000000Z",
        cause="expiry",
        erasure_id="e1",
        bucket_key_id="b1",
        due_at="2030-01-15T12:59:00.000000Z",
        key_destroyed_at="2030-01-15T13:00:00.000000Z",
        bytes_gone_at="2030-01-15T13:00:01.000000Z",
        store_answer="erased",
        size_bytes=number,
    )


def _receipt(cameras: list[str]) -> bytes:
    leaves = [_leaf(number, camera).octets() for number, camera in enumerate(cameras)]
    top = merkle.Tree([merkle.leaf_hash(leaf) for leaf in leaves]).root
    head = Head(
        receipt_id="r1",
        installation_id="i1",
        operator_id="o1",
        kind="hourly",
        actor="worker:sweep",
        signed_at="2030-01-15T14:00:00.000000Z",
        covers_from="2030-01-15T13:00:00.000000Z",
        covers_until="2030-01-15T14:00:00.000000Z",
        leaf_count=len(leaves),
        merkle_root=base64.urlsafe_b64encode(top).rstrip(b"=").decode(),
        beyond_backups_at="2030-02-14T14:00:00.000000Z",
    ).octets()
    return write(head, "k1", _sign(signed_part(head)), leaves)


_cameras = st.lists(st.sampled_from(["cam-a", "cam-b", "cam-c"]), min_size=0, max_size=40)


@given(_cameras)
def test_a_receipt_as_signed_is_valid_and_shows_every_leaf(cameras: list[str]) -> None:
    verdict = check(_receipt(cameras))
    assert isinstance(verdict, Valid)
    assert [leaf["camera_id"] for leaf in verdict.leaves] == cameras


@given(_cameras, st.data())
def test_a_receipt_with_any_byte_changed_is_refused(cameras: list[str], data: st.DataObject) -> None:
    receipt = bytearray(_receipt(cameras))
    place = data.draw(st.integers(0, len(receipt) - 1))
    receipt[place] ^= data.draw(st.integers(1, 255))
    assert isinstance(check(bytes(receipt)), Invalid)


@given(_cameras, st.data())
def test_a_receipt_cut_or_lengthened_is_refused(cameras: list[str], data: st.DataObject) -> None:
    receipt = _receipt(cameras)
    assert isinstance(check(receipt[: data.draw(st.integers(0, len(receipt) - 1))]), Invalid)
    assert isinstance(check(receipt + data.draw(st.binary(min_size=1, max_size=40))), Invalid)


@given(_cameras)
def test_an_extract_shows_one_camera_and_stands_alone(cameras: list[str]) -> None:
    part = extract(_receipt([*cameras, "cam-a"]), "cam-a")
    verdict = check(part)
    assert isinstance(verdict, Valid)
    assert verdict.partial
    assert {leaf["camera_id"] for leaf in verdict.leaves} == {"cam-a"}
    assert len(verdict.leaves) == cameras.count("cam-a") + 1


@given(st.integers(1, 70), st.data())
def test_every_leaf_leads_to_the_root_and_no_other_does(count: int, data: st.DataObject) -> None:
    hashes = [merkle.leaf_hash(bytes([number])) for number in range(count)]
    index = data.draw(st.integers(0, count - 1))
    tree = merkle.Tree(hashes)
    steps = tree.path(index)
    assert merkle.root_from(hashes[index], index, count, steps) == tree.root
    wrong = hashlib.sha256(b"not there").digest()
    assert merkle.root_from(wrong, index, count, steps) != tree.root


def _root_by_the_book(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word by word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\x01" + _root_by_the_book(leaves[:half]) + _root_by_the_book(leaves[half:])).digest()


@given(st.integers(0, 300))
def test_the_tree_is_the_one_of_the_rfc(count: int) -> None:
    hashes = [merkle.leaf_hash(number.to_bytes(2, "big")) for number in range(count)]
    assert merkle.Tree(hashes).root == _root_by_the_book(hashes)
