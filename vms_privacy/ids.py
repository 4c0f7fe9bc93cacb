"""Ids, and the only maker of new ones and of random bytes.

Everything inside the service refers to ids; names are for people and may change.
"""

import secrets
import uuid
from typing import NewType, Protocol

OperatorId = NewType("OperatorId", uuid.UUID)
PersonId = NewType("PersonId", uuid.UUID)
CameraId = NewType("CameraId", uuid.UUID)
GrantId = NewType("GrantId", uuid.UUID)
LoginSessionId = NewType("LoginSessionId", uuid.UUID)
TokenId = NewType("TokenId", uuid.UUID)
MediaSessionId = NewType("MediaSessionId", uuid.UUID)
ConsentEntryId = NewType("ConsentEntryId", uuid.UUID)
AuditEventId = NewType("AuditEventId", uuid.UUID)
SegmentId = NewType("SegmentId", uuid.UUID)
BucketKeyId = NewType("BucketKeyId", uuid.UUID)
ErasureId = NewType("ErasureId", uuid.UUID)
ReceiptId = NewType("ReceiptId", uuid.UUID)
SummaryId = NewType("SummaryId", uuid.UUID)
PolicyId = NewType("PolicyId", uuid.UUID)
ProposalId = NewType("ProposalId", uuid.UUID)
OrderId = NewType("OrderId", uuid.UUID)
MandateId = NewType("MandateId", uuid.UUID)
RequestId = NewType("RequestId", uuid.UUID)
WorkerId = NewType("WorkerId", uuid.UUID)
OffBoardingId = NewType("OffBoardingId", uuid.UUID)
ManifestId = NewType("ManifestId", uuid.UUID)


class Randomness(Protocol):
    """Where unpredictable values come from; comes in through the door so that vectors can be rebuilt."""

    def uuid(self) -> uuid.UUID:
        """Return a new id, never given before."""
        ...

    def octets(self, count: int) -> bytes:
        """Return `count` bytes fit for keys, salts and nonces."""
        ...


class SystemRandomness:
    """The operating system's generator."""

    def uuid(self) -> uuid.UUID:
        return uuid.uuid4()

    def octets(self, count: int) -> bytes:
        return secrets.token_bytes(count)
