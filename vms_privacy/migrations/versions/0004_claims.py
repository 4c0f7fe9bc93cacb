"""Of several workers one is at an erasure, for as long as it lives."""

import sqlalchemy as sa
from alembic import op

import vms_privacy.db

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "erasure",
        sa.Column("claimed_by", sa.Uuid(), nullable=True, comment="the worker that is at it, an installation's id"),
    )
    op.add_column(
        "erasure",
        sa.Column(
            "claimed_until",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=True,
            comment="then another may go on with it",
        ),
    )
