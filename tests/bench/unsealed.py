"""The recorder with its cipher off, for comparison alone: the same file, byte for byte as long, with media in clear."""

from dataclasses import replace
from typing import BinaryIO

from archive.format.rules import TAG, Closing
from archive.format.sealed_file import Buffer, SealedWriter
from archive.recorder.tools import Tools
from vms_privacy.ids import Randomness
from vms_privacy.keyring.plaintext import KeyBytes


class _NoCipher:
    """Takes the place of the file's keys: a chunk is copied, its tag is zeros."""

    def seal_into(self, index: int, closing: Closing, plain: Buffer, sealed: memoryview) -> int:
        """Copy to the beginning of `sealed`; return how many bytes that are."""
        del index, closing
        end = len(plain)
        sealed[:end] = plain
        sealed[end : end + TAG] = bytes(TAG)
        return end + TAG


class ClearWriter(SealedWriter):
    """Writes what a sealed writer writes, unsealed."""

    def __init__(self, file: BinaryIO, segment_key: KeyBytes, chunk_size: int, randomness: Randomness) -> None:
        super().__init__(file, segment_key, chunk_size, randomness)
        self._keys = _NoCipher()  # type: ignore[assignment]


def unsealed(tools: Tools) -> Tools:
    """Return the recorder's tools with the cipher off."""
    return replace(tools, new_writer=ClearWriter)
