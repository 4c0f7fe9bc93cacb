"""A Merkle tree over leaves, hashed as in RFC 6962, 2.1, so that one camera's part can be proven alone."""

import hashlib
from collections.abc import Sequence


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of one leaf; the prefix keeps a leaf from passing as a node (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes; of none it is the hash of nothing."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = _half(len(leaves))
    return _node(root(leaves[:half]), root(leaves[half:]))


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the hashes that lead from one leaf hash to the root, nearest first (RFC 6962, 2.1.1)."""
    if not 0 <= index < len(leaves):
        raise ValueError("no such leaf")
    if len(leaves) == 1:
        return []
    half = _half(len(leaves))
    if index < half:
        return [*path(leaves[:half], index), root(leaves[half:])]
    return [*path(leaves[half:], index - half), root(leaves[:half])]


def root_from(leaf: bytes, index: int, count: int, steps: Sequence[bytes]) -> bytes | None:
    """Return the root that a leaf hash and its path lead to, or None where the path has the wrong length."""
    if not 0 <= index < count:
        return None
    sides: list[bool] = []
    low, size = index, count
    while size > 1:
        half = _half(size)
        sides.append(low >= half)
        low, size = (low - half, size - half) if low >= half else (low, half)
    if len(sides) != len(steps):
        return None
    found = leaf
    for is_right, other in zip(reversed(sides), steps, strict=True):
        found = _node(other, found) if is_right else _node(found, other)
    return found


def _half(count: int) -> int:
    return 1 << ((count - 1).bit_length() - 1)


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
