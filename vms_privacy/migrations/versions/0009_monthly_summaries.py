"""What was destroyed in a month, signed for each operator, and which summary lists a receipt."""

import sqlalchemy as sa
from alembic import op

import vms_privacy.db

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "receipt_summary",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False, comment="in UTC, as 2030-01"),
        sa.Column("receipts", sa.Integer(), nullable=False, comment="how many it lists; none is a statement too"),
        sa.Column("segments", sa.Integer(), nullable=False),
        sa.Column("signed_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False, comment="docs/formats/receipt-v1.md"),
        sa.CheckConstraint("length(month) = 7", name=op.f("ck_receipt_summary_month_has_its_form")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipt_summary")),
        sa.UniqueConstraint("operator_id", "month", name=op.f("uq_receipt_summary_operator_id_month")),
    )
    op.create_table(
        "receipt_summed",
        sa.Column("receipt_id", sa.Uuid(), nullable=False),
        sa.Column("summary_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["receipt_id"], ["receipt.id"], name=op.f("fk_receipt_summed_receipt_id_receipt")),
        sa.ForeignKeyConstraint(
            ["summary_id"], ["receipt_summary.id"], name=op.f("fk_receipt_summed_summary_id_receipt_summary")
        ),
        sa.PrimaryKeyConstraint("receipt_id", name=op.f("pk_receipt_summed")),
    )
    op.create_index("ix_receipt_summed_summary_id", "receipt_summed", ["summary_id"])
    guards = _GUARDS if op.get_bind().dialect.name == "sqlite" else _GUARDS_POSTGRESQL
    for statement in guards:
        op.execute(statement)


_GUARDS = (
    """CREATE TRIGGER receipt_summary_no_update BEFORE UPDATE ON receipt_summary BEGIN SELECT RAISE(ABORT, 'summaries are only ever added'); END""",
    """CREATE TRIGGER receipt_summary_no_delete BEFORE DELETE ON receipt_summary BEGIN SELECT RAISE(ABORT, 'summaries are only ever added'); END""",
    """CREATE TRIGGER receipt_summed_no_update BEFORE UPDATE ON receipt_summed BEGIN SELECT RAISE(ABORT, 'a receipt stays in its summary'); END""",
    """CREATE TRIGGER receipt_summed_no_delete BEFORE DELETE ON receipt_summed BEGIN SELECT RAISE(ABORT, 'a receipt stays in its summary'); END""",
)

_GUARDS_POSTGRESQL = (
    """CREATE FUNCTION receipt_summary_no_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'summaries are only ever added' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER receipt_summary_no_update BEFORE UPDATE ON receipt_summary FOR EACH ROW EXECUTE FUNCTION receipt_summary_no_update()""",
    """CREATE FUNCTION receipt_summary_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'summaries are only ever added' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER receipt_summary_no_delete BEFORE DELETE ON receipt_summary FOR EACH ROW EXECUTE FUNCTION receipt_summary_no_delete()""",
    """CREATE FUNCTION receipt_summary_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'summaries are only ever added' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER receipt_summary_no_truncate BEFORE TRUNCATE ON receipt_summary FOR EACH STATEMENT EXECUTE FUNCTION receipt_summary_no_truncate()""",
    """CREATE FUNCTION receipt_summed_no_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a receipt stays in its summary' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER receipt_summed_no_update BEFORE UPDATE ON receipt_summed FOR EACH ROW EXECUTE FUNCTION receipt_summed_no_update()""",
    """CREATE FUNCTION receipt_summed_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a receipt stays in its summary' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER receipt_summed_no_delete BEFORE DELETE ON receipt_summed FOR EACH ROW EXECUTE FUNCTION receipt_summed_no_delete()""",
    """CREATE FUNCTION receipt_summed_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a receipt stays in its summary' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER receipt_summed_no_truncate BEFORE TRUNCATE ON receipt_summed FOR EACH STATEMENT EXECUTE FUNCTION receipt_summed_no_truncate()""",
)
