"""A Merkle tree over leaves, hashed as in RFC 6962, 2.1, so that one camera's part can be proven alone."""

import hashlib
from collections.abc import Sequence


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of one leaf; the prefix keeps a leaf from passing as a node (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


class Tree:
    """The tree over leaf hashes, made once, in time that grows with their number; each path is then a look-up.

    RFC 6962, 2.1, splits at the largest power of two below the count. That is the same tree as pairing neighbours level
    by level and letting one that is left over at the end rise as it is.
    """

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._levels = [list(leaves)]
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            pairs = [_node(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)]
            self._levels.append(pairs + below[len(below) - len(below) % 2 :])

    @property
    def root(self) -> bytes:
        """The root; of no leaves it is the hash of nothing."""
        top = self._levels[-1]
        return top[0] if top else hashlib.sha256(b"").digest()

    def path(self, index: int) -> list[bytes]:
        """Return the hashes that lead from one leaf hash to the root, nearest first (RFC 6962, 2.1.1)."""
        if not 0 <= index < len(self._levels[0]):
            raise ValueError("no such leaf")
        found = []
        for level in self._levels[:-1]:
            beside = index ^ 1
            if beside < len(level):
                found.append(level[beside])
            index >>= 1
        return found


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
