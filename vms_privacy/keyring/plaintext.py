"""Keys in the clear. An import contract names the few files that may import this one."""


class KeyBytes:
    """A key in the clear. `reveal` is the only way out; grep for it."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def __repr__(self) -> str:
        return "KeyBytes(hidden)"

    def __reduce__(self) -> str:
        raise TypeError("a key in the clear is not copied, pickled or stored")

    def reveal(self) -> bytes:
        """Return the key itself. Keep it in a local variable, for one use."""
        return self._raw
