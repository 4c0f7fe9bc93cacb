"""Every broken part, by name, with the step in which it must show."""

from collections.abc import Mapping
from typing import Final

from tests.stories.broken import erasing, keeping, leaving, looking, ordering, proving, requesting, restoring
from vms_privacy.app import Assembly

BROKEN: Final[Mapping[str, tuple[str, type[Assembly]]]] = {
    "relay-writes-to-disk": ("live-leaves-nothing", looking.RelayWritesToDisk),
    "permit-is-forged": ("opt-in-records", keeping.PermitIsForged),
    "cipher-is-off": ("disk-is-ciphertext", keeping.CipherIsOff),
    "picture-is-dropped": ("right-pictures", keeping.PictureIsDropped),
    "tap-mixes-cameras": ("right-pictures", looking.TapMixesCameras),
    "gate-open-for-neighbours": ("neighbour-sees-nothing", looking.GateOpenForNeighbours),
    "window-is-not-checked": ("tokens-are-bounded", looking.WindowIsNotChecked),
    "tokens-never-expire": ("tokens-are-bounded", looking.TokensNeverExpire),
    "revocation-is-deaf": ("withdrawn-right-ends-live", looking.RevocationIsDeaf),
    "times-are-not-asked": ("recording-times-pause", keeping.TimesAreNotAsked),
    "recorder-is-deaf": ("withdrawal-stops-recording", keeping.RecorderIsDeaf),
    "expiry-gate-is-off": ("expiry-to-the-second", keeping.ExpiryGateIsOff),
    "longer-reaches-back": ("rules-work-forward", keeping.LongerReachesBack),
    "sweep-is-idle": ("expiry-to-the-second", keeping.SweepIsIdle),
    "hold-is-forgotten": ("hold-beats-expiry", ordering.HoldIsForgotten),
    "restriction-is-unheard": ("restriction-closes-live", ordering.RestrictionIsUnheard),
    "rims-are-left": ("mandate-is-exact", erasing.RimsAreLeft),
    "clock-from-the-entry": ("request-has-a-clock", requesting.ClockFromTheEntry),
    "receipt-of-another-key": ("receipt-verifies", proving.ReceiptOfAnotherKey),
    "keyring-keeps-copies": ("older-copy-opens-nothing", keeping.KeyringKeepsCopies),
    "everybody-to-one-store": ("footage-stays-in-its-region", keeping.EverybodyToOneStore),
    "camera-is-forgotten": ("operator-leaves", leaving.CameraIsForgotten),
    "replay-leaves-out-erasures": ("restore-forgets-nothing", restoring.ReplayLeavesOutErasures),
    "replay-leaves-out-mandates": ("restore-forgets-nothing", restoring.ReplayLeavesOutMandates),
    "stranger-in-the-store": ("everything-is-accounted-for", keeping.StrangerInTheStore),
    "chain-is-unsigned": ("audit-verifies", proving.ChainIsUnsigned),
    "chain-of-another-key": ("audit-verifies", proving.ChainOfAnotherKey),
}
