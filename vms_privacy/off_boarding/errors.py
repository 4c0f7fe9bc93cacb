"""Refusals of off-boarding."""

from typing import ClassVar

from vms_privacy.errors import Kind, Refusal


class OffBoardingIsUnderWay(Refusal):
    """The operator's off-boarding has begun already: there is one at a time, and one that is confirmed is the last."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "off-boarding-is-under-way"


class NoOffBoarding(Refusal):
    """The operator's off-boarding has not begun, or was taken back."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "no-off-boarding"


class OffBoardingIsConfirmed(Refusal):
    """Two people have confirmed it: it is carried out to its end, and nothing of it is done again or taken back."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "off-boarding-is-confirmed"


class ManifestIsNotReady(Refusal):
    """No manifest is signed yet: none was asked for, or one is being made."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "manifest-is-not-ready"


class ManifestIsAnother(Refusal):
    """The digest is not that of the newest signed manifest."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "manifest-is-another"


class ManifestDoesNotCover(Refusal):
    """There is footage that the manifest does not list: have another one made."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "manifest-does-not-cover"


class ManifestIsForgotten(Refusal):
    """The operator has left or stays: its manifest's lines are not kept, its digest and its first line are."""

    kind: ClassVar[Kind] = Kind.GONE
    code: ClassVar[str] = "manifest-is-forgotten"
