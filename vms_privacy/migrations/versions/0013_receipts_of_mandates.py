"""Receipts of what mandates had destroyed."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "receipt_mandate",
        sa.Column("receipt_id", sa.Uuid(), nullable=False),
        sa.Column("mandate_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["receipt_id"], ["receipt.id"], name=op.f("fk_receipt_mandate_receipt_id_receipt")),
        sa.PrimaryKeyConstraint("receipt_id", "mandate_id", name=op.f("pk_receipt_mandate")),
    )
    op.create_index("ix_receipt_mandate_mandate_id", "receipt_mandate", ["mandate_id"], unique=False)
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if not is_sqlite:
        op.alter_column("receipt", "kind", comment="hourly, on-demand, or the cause of its mandates")
    guards = _GUARDS if is_sqlite else _GUARDS_POSTGRESQL
    for statement in guards:
        op.execute(statement)


_GUARDS = (
    """CREATE TRIGGER receipt_mandate_no_update BEFORE UPDATE ON receipt_mandate BEGIN SELECT RAISE(ABORT, 'a receipt goes on telling of its mandates'); END""",
    """CREATE TRIGGER receipt_mandate_no_delete BEFORE DELETE ON receipt_mandate BEGIN SELECT RAISE(ABORT, 'a receipt goes on telling of its mandates'); END""",
)

_GUARDS_POSTGRESQL = (
    """CREATE FUNCTION receipt_mandate_no_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a receipt goes on telling of its mandates' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER receipt_mandate_no_update BEFORE UPDATE ON receipt_mandate FOR EACH ROW EXECUTE FUNCTION receipt_mandate_no_update()""",
    """CREATE FUNCTION receipt_mandate_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a receipt goes on telling of its mandates' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER receipt_mandate_no_delete BEFORE DELETE ON receipt_mandate FOR EACH ROW EXECUTE FUNCTION receipt_mandate_no_delete()""",
    """CREATE FUNCTION receipt_mandate_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a receipt goes on telling of its mandates' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER receipt_mandate_no_truncate BEFORE TRUNCATE ON receipt_mandate FOR EACH STATEMENT EXECUTE FUNCTION receipt_mandate_no_truncate()""",
)
