"""What a check has looked at, and how far its turns are."""

import sqlalchemy as sa
from alembic import op

import vms_privacy.db

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "check_look",
        sa.Column("segment_id", sa.Uuid(), nullable=False),
        sa.Column("depth", sa.Integer(), autoincrement=False, nullable=False, comment="check.rules.Depth"),
        sa.Column("looked_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("depth BETWEEN 1 AND 4", name=op.f("ck_check_look_known_depth")),
        sa.PrimaryKeyConstraint("segment_id", "depth", name=op.f("pk_check_look")),
    )
    op.create_table(
        "check_turn",
        sa.Column("depth", sa.Integer(), autoincrement=False, nullable=False, comment="check.rules.Depth"),
        sa.Column("began_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column(
            "ended_at",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=True,
            comment="empty while files are left to look at",
        ),
        sa.CheckConstraint("depth BETWEEN 1 AND 4", name=op.f("ck_check_turn_known_depth")),
        sa.PrimaryKeyConstraint("depth", name=op.f("pk_check_turn")),
    )
