"""Refusals of recording times."""

from typing import ClassVar

from vms_privacy.errors import Kind, Refusal


class RecordingTimesRefused(Refusal):
    """The plan asked for may not be set; the fact `rule` says which rule it breaks."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "recording-times-refused"


class RecordingTimesUnreadable(Refusal):
    """What is set for a camera cannot be read, or its time zone is not known here: it is not recorded at all."""

    kind: ClassVar[Kind] = Kind.DAMAGED
    code: ClassVar[str] = "recording-times-unreadable"
