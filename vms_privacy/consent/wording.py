"""The texts a person agrees to, each named by its own SHA-256, so that an entry proves which one was shown."""

import hashlib
from dataclasses import dataclass
from typing import Final

from vms_privacy.consent.rules import ConsentKind


@dataclass(frozen=True, slots=True)
class Wording:
    """One text for one kind. A text that was ever shown stays in `WORDINGS`; a new one is put behind it."""

    kind: ConsentKind
    text: str

    @property
    def version(self) -> str:
        """Return the SHA-256 of the text in UTF-8 as 64 hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()


WORDINGS: Final = (
    Wording(
        ConsentKind.VIDEO_RECORDING,
        "On behalf of the operator of this camera I switch on video recording for the purpose and on the legal basis "
        "named here. A sign at the camera tells people of it. Pictures are kept for the camera's retention time and "
        "then destroyed. I can switch recording off at any time; from then on nothing more is recorded.",
    ),
    Wording(
        ConsentKind.LIVE_AUDIO,
        "On behalf of the operator of this camera I let people with the right to look also hear its sound live, for "
        "the purpose and on the legal basis named here. A sign at the camera tells people of it. Nothing of it is "
        "recorded. I can switch it off at any time.",
    ),
    Wording(
        ConsentKind.RECORDED_AUDIO,
        "On behalf of the operator of this camera I switch on the recording of sound beside the recording of video, "
        "for the purpose and on the legal basis named here. A sign at the camera tells people of it. I can switch it "
        "off at any time, and it ends with the recording of video.",
    ),
)


def current(kind: ConsentKind) -> Wording:
    """Return the text to show now for a kind."""
    return [wording for wording in WORDINGS if wording.kind is kind][-1]


def is_known(kind: ConsentKind, version: str) -> bool:
    """Say whether this version was ever a text of this kind."""
    return any(wording.kind is kind and wording.version == version for wording in WORDINGS)
