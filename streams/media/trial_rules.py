"""What a parent and its trial child say to each other. Pure.

Down the pipe: for each media file its bytes in pieces, each after its length in four bytes, and a length of 0 at its
end. Up the pipe: one answer of 13 bytes for each file. No byte of a picture has room in it.
"""

import struct
from dataclasses import dataclass
from typing import Final

MOST_PIECE: Final = 4 * 1024 * 1024
LENGTH: Final = struct.Struct(">I")
_ANSWER: Final = struct.Struct(">BIII")
ANSWER: Final = _ANSWER.size


class TrialSpeaksNonsense(Exception):
    """What came from a trial child is no answer."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one media file. `refused` are pictures and stretches of sound that the decoder would not take."""

    is_media: bool
    pictures: int
    sounds: int
    refused: int

    @property
    def decodes(self) -> bool:
        """Say whether there is a picture to be seen. A camera's own faults are in `refused` and no fault of ours."""
        return self.is_media and self.pictures > 0


def write_answer(tried: Tried) -> bytes:
    """Return an answer as it goes up the pipe."""
    return _ANSWER.pack(tried.is_media, tried.pictures, tried.sounds, tried.refused)


def read_answer(data: bytes) -> Tried:
    """Read an answer. Raises TrialSpeaksNonsense."""
    if len(data) != ANSWER or data[0] > 1:
        raise TrialSpeaksNonsense("an answer of another form")
    is_media, pictures, sounds, refused = _ANSWER.unpack(data)
    return Tried(is_media == 1, pictures, sounds, refused)
