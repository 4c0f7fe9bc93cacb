"""Refusals of `archive.mandates`."""

from typing import ClassVar

from vms_privacy.errors import Kind, Refusal


class MandateRefused(Refusal):
    """Footage cannot be destroyed like that; `rule` says which rule stands against it."""

    kind: ClassVar[Kind] = Kind.INVALID
    code: ClassVar[str] = "mandate-refused"


class NothingToDestroy(Refusal):
    """Nothing is left of this time that a mandate could destroy."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "nothing-to-destroy"


class TooManyMandates(Refusal):
    """The camera has all the mandates under way that it may have at once."""

    kind: ClassVar[Kind] = Kind.CONFLICT
    code: ClassVar[str] = "too-many-mandates"
