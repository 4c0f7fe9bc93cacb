"""Of each camera the next segment is registered ahead, so that recording goes on while the database is away."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "segment_ahead",
        sa.Column("id", sa.Uuid(), nullable=False, comment="the segment's, once it is one"),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("camera_id", sa.Uuid(), nullable=False),
        sa.Column(
            "consent_entry_id",
            sa.Uuid(),
            nullable=False,
            comment="the opt-in it rests on; the database compares it with the head",
        ),
        sa.Column(
            "policy_version",
            sa.Integer(),
            nullable=False,
            comment="the retention policy in force when it was registered",
        ),
        sa.Column(
            "keep_us", sa.BigInteger(), nullable=False, comment="retention of its pictures; shortening lowers it"
        ),
        sa.Column("blob_name", sa.String(length=22), nullable=False, comment="opaque, used once, ever"),
        sa.Column("bucket_key_id", sa.Uuid(), nullable=False, comment="the key in the keyring that wraps its own"),
        sa.Column("bucket_hour", sa.Integer(), nullable=False, comment="hours since 1970, UTC, of the bucket"),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False, comment="of a file that may not exist yet"),
        sa.Column(
            "salt", sa.LargeBinary(length=32), nullable=False, comment="of the file's header; a foreign copy differs"
        ),
        sa.Column("registered_us", sa.BigInteger(), nullable=False, comment="our clock; its file begins no earlier"),
        sa.CheckConstraint("keep_us > 0", name=op.f("ck_segment_ahead_keeps_for_a_time")),
        sa.ForeignKeyConstraint(
            ["consent_entry_id"], ["consent_entry.id"], name=op.f("fk_segment_ahead_consent_entry_id_consent_entry")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segment_ahead")),
        sa.UniqueConstraint("blob_name", name=op.f("uq_segment_ahead_blob_name")),
        sa.UniqueConstraint("camera_id", name=op.f("uq_segment_ahead_camera_id")),
    )

    # What the database itself refuses.
    guards = _GUARDS if op.get_bind().dialect.name == "sqlite" else _GUARDS_POSTGRESQL
    for statement in guards:
        op.execute(statement)


_GUARDS = (
    """DROP TRIGGER segment_needs_opt_in""",
    """CREATE TRIGGER segment_ahead_needs_opt_in BEFORE INSERT ON segment_ahead WHEN (SELECT active_entry_id FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND (until_us IS NULL OR NEW.registered_us < until_us)) IS NULL OR NEW.consent_entry_id IS NOT (SELECT active_entry_id FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND (until_us IS NULL OR NEW.registered_us < until_us)) BEGIN SELECT RAISE(ABORT, 'no active opt-in'); END""",
    """CREATE TRIGGER segment_ahead_keeps_its_place BEFORE UPDATE ON segment_ahead WHEN NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id OR NEW.camera_id <> OLD.camera_id OR NEW.consent_entry_id <> OLD.consent_entry_id OR NEW.blob_name <> OLD.blob_name OR NEW.salt <> OLD.salt OR NEW.registered_us <> OLD.registered_us OR NEW.keep_us > OLD.keep_us BEGIN SELECT RAISE(ABORT, 'what is registered ahead keeps its place, and is never kept longer'); END""",
    """CREATE TRIGGER segment_needs_opt_in BEFORE INSERT ON segment WHEN ((SELECT active_entry_id FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND (until_us IS NULL OR NEW.starts_us < until_us)) IS NULL OR NEW.consent_entry_id IS NOT (SELECT active_entry_id FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND (until_us IS NULL OR NEW.starts_us < until_us))) AND NOT EXISTS (SELECT 1 FROM segment_ahead WHERE id = NEW.id AND camera_id = NEW.camera_id AND consent_entry_id = NEW.consent_entry_id AND blob_name = NEW.blob_name AND registered_us <= NEW.starts_us) BEGIN SELECT RAISE(ABORT, 'no active opt-in'); END""",
)

_GUARDS_POSTGRESQL = (
    """DROP TRIGGER segment_needs_opt_in ON segment""",
    """DROP FUNCTION segment_needs_opt_in()""",
    """CREATE FUNCTION segment_ahead_needs_opt_in() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF (SELECT active_entry_id FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND (until_us IS NULL OR NEW.registered_us < until_us) FOR SHARE) IS NULL OR NEW.consent_entry_id IS DISTINCT FROM (SELECT active_entry_id FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND (until_us IS NULL OR NEW.registered_us < until_us) FOR SHARE) THEN RAISE EXCEPTION 'no active opt-in' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER segment_ahead_needs_opt_in BEFORE INSERT ON segment_ahead FOR EACH ROW EXECUTE FUNCTION segment_ahead_needs_opt_in()""",
    """CREATE FUNCTION segment_ahead_keeps_its_place() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id OR NEW.camera_id <> OLD.camera_id OR NEW.consent_entry_id <> OLD.consent_entry_id OR NEW.blob_name <> OLD.blob_name OR NEW.salt <> OLD.salt OR NEW.registered_us <> OLD.registered_us OR NEW.keep_us > OLD.keep_us THEN RAISE EXCEPTION 'what is registered ahead keeps its place, and is never kept longer' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER segment_ahead_keeps_its_place BEFORE UPDATE ON segment_ahead FOR EACH ROW EXECUTE FUNCTION segment_ahead_keeps_its_place()""",
    """CREATE FUNCTION segment_needs_opt_in() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF ((SELECT active_entry_id FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND (until_us IS NULL OR NEW.starts_us < until_us) FOR SHARE) IS NULL OR NEW.consent_entry_id IS DISTINCT FROM (SELECT active_entry_id FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND (until_us IS NULL OR NEW.starts_us < until_us) FOR SHARE)) AND NOT EXISTS (SELECT 1 FROM segment_ahead WHERE id = NEW.id AND camera_id = NEW.camera_id AND consent_entry_id = NEW.consent_entry_id AND blob_name = NEW.blob_name AND registered_us <= NEW.starts_us) THEN RAISE EXCEPTION 'no active opt-in' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER segment_needs_opt_in BEFORE INSERT ON segment FOR EACH ROW EXECUTE FUNCTION segment_needs_opt_in()""",
)
