"""The rows of cameras."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from vms_privacy.db import Base, UTCDateTime


class CameraRow(Base):
    """One camera. Name, group and owner are in its resource row, which is written in the same transaction."""

    __tablename__ = "camera"
    __table_args__ = (
        CheckConstraint("scheme IN ('rtsp', 'rtsps')", name="scheme_is_rtsp"),
        CheckConstraint("port BETWEEN 1 AND 65535", name="port_is_one"),
        CheckConstraint("purpose <> ''", name="purpose_is_said"),
        CheckConstraint("version >= 1", name="version_counts_up"),
        CheckConstraint("removed_at IS NULL OR sealed_url IS NULL", name="removed_means_forgotten"),
    )

    id: Mapped[uuid.UUID] = mapped_column(ForeignKey("resource.camera_id"), primary_key=True)
    operator_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("operator.id"), index=True)
    title: Mapped[str] = mapped_column(String(200))
    scheme: Mapped[str] = mapped_column(String(5))
    host: Mapped[str] = mapped_column(String(253), comment="name or IP address; user and password are sealed")
    port: Mapped[int]
    sealed_url: Mapped[bytes | None] = mapped_column(
        LargeBinary, comment="whole URL under the keyring's camera-credential key, bound to the camera id"
    )
    has_credential: Mapped[bool] = mapped_column(comment="whether the sealed URL names a user")
    purpose: Mapped[str] = mapped_column(String(500), comment="what it is there for, in the operator's words")
    plain_exception: Mapped[str] = mapped_column(
        String(500), comment="why it may send unencrypted, in the operator's words; empty: it may not"
    )
    pin: Mapped[str] = mapped_column(String(64), comment="SHA-256 of its certificate, or empty: verified by authority")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    version: Mapped[int] = mapped_column(comment="rises with every change of this row")
