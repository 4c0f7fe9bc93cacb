"""Which store each file belongs to, and the region that each operator's footage goes to."""

import sqlalchemy as sa
from alembic import op

import vms_privacy.db

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "operator_region",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="1, 2, 3, …"),
        sa.Column("region", sa.String(length=63), nullable=False, comment="as the settings call it"),
        sa.Column(
            "set_by",
            sa.String(length=80),
            nullable=False,
            comment="a principal's label, an id; or the worker of the start",
        ),
        sa.Column("set_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(region) BETWEEN 1 AND 63", name=op.f("ck_operator_region_region_has_a_length")),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_operator_region_operator_id_operator")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_region")),
        sa.UniqueConstraint("operator_id", "version", name=op.f("uq_operator_region_operator_id_version")),
    )
    # All that is there went to the one store there was.
    op.add_column(
        "segment",
        sa.Column(
            "store",
            sa.String(length=63),
            nullable=False,
            server_default=sa.text("'default'"),
            comment="the store that its bytes go to and lie in; never changes",
        ),
    )
    op.add_column(
        "segment_ahead",
        sa.Column(
            "store",
            sa.String(length=63),
            nullable=False,
            server_default=sa.text("'default'"),
            comment="the store that its bytes will go to",
        ),
    )
    # What the database itself refuses.
    guards = _GUARDS if op.get_bind().dialect.name == "sqlite" else _GUARDS_POSTGRESQL
    for statement in guards:
        op.execute(statement)


_GUARDS = (
    """DROP TRIGGER segment_needs_opt_in""",
    """DROP TRIGGER segment_kept_part_has_its_origin""",
    """DROP TRIGGER segment_keeps_its_owner""",
    """DROP TRIGGER segment_ahead_keeps_its_place""",
    """CREATE TRIGGER segment_needs_opt_in BEFORE INSERT ON segment WHEN ((SELECT active_entry_id FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND (until_us IS NULL OR NEW.starts_us < until_us)) IS NULL OR NEW.consent_entry_id IS NOT (SELECT active_entry_id FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND (until_us IS NULL OR NEW.starts_us < until_us))) AND NOT (EXISTS (SELECT 1 FROM segment_ahead WHERE id = NEW.id AND camera_id = NEW.camera_id AND consent_entry_id = NEW.consent_entry_id AND blob_name = NEW.blob_name AND store = NEW.store AND registered_us <= NEW.starts_us) OR EXISTS (SELECT 1 FROM segment WHERE id = NEW.resealed_from AND state = 'erasing' AND camera_id = NEW.camera_id AND operator_id = NEW.operator_id AND consent_entry_id = NEW.consent_entry_id AND keep_us = NEW.keep_us AND tracks = NEW.tracks AND run = NEW.run AND epoch = NEW.epoch AND store = NEW.store AND blob_name <> NEW.blob_name AND salt <> NEW.salt AND (NEW.ends_us = starts_us OR NEW.starts_us = ends_us) AND NEW.destroy_from_us <= destroy_from_us)) BEGIN SELECT RAISE(ABORT, 'no active opt-in'); END""",
    """CREATE TRIGGER segment_kept_part_has_its_origin BEFORE INSERT ON segment WHEN NEW.resealed_from IS NOT NULL AND NOT EXISTS (SELECT 1 FROM segment WHERE id = NEW.resealed_from AND state = 'erasing' AND camera_id = NEW.camera_id AND operator_id = NEW.operator_id AND consent_entry_id = NEW.consent_entry_id AND keep_us = NEW.keep_us AND tracks = NEW.tracks AND run = NEW.run AND epoch = NEW.epoch AND store = NEW.store AND blob_name <> NEW.blob_name AND salt <> NEW.salt AND (NEW.ends_us = starts_us OR NEW.starts_us = ends_us) AND NEW.destroy_from_us <= destroy_from_us) BEGIN SELECT RAISE(ABORT, 'a kept part lies beside what is destroyed of its segment'); END""",
    """CREATE TRIGGER segment_keeps_its_owner BEFORE UPDATE OF operator_id, camera_id, starts_us, blob_name, store, resealed_from ON segment WHEN NEW.operator_id <> OLD.operator_id OR NEW.camera_id <> OLD.camera_id OR NEW.blob_name <> OLD.blob_name OR NEW.store <> OLD.store OR NEW.resealed_from IS NOT OLD.resealed_from OR (NEW.starts_us <> OLD.starts_us AND (OLD.state <> 'erasing' OR OLD.key_destroyed_at IS NOT NULL OR NEW.starts_us < OLD.starts_us OR NEW.starts_us >= OLD.ends_us)) BEGIN SELECT RAISE(ABORT, 'a segment keeps its owner, camera, start, name and store'); END""",
    """CREATE TRIGGER segment_ahead_keeps_its_place BEFORE UPDATE ON segment_ahead WHEN NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id OR NEW.camera_id <> OLD.camera_id OR NEW.consent_entry_id <> OLD.consent_entry_id OR NEW.blob_name <> OLD.blob_name OR NEW.store <> OLD.store OR NEW.salt <> OLD.salt OR NEW.registered_us <> OLD.registered_us OR NEW.keep_us > OLD.keep_us BEGIN SELECT RAISE(ABORT, 'what is registered ahead keeps its place, and is never kept longer'); END""",
    """CREATE TRIGGER operator_region_no_update BEFORE UPDATE ON operator_region BEGIN SELECT RAISE(ABORT, 'regions are only ever added'); END""",
    """CREATE TRIGGER operator_region_no_delete BEFORE DELETE ON operator_region BEGIN SELECT RAISE(ABORT, 'regions are only ever added'); END""",
)

_GUARDS_POSTGRESQL = (
    """DROP TRIGGER segment_needs_opt_in ON segment""",
    """DROP FUNCTION segment_needs_opt_in()""",
    """DROP TRIGGER segment_kept_part_has_its_origin ON segment""",
    """DROP FUNCTION segment_kept_part_has_its_origin()""",
    """DROP TRIGGER segment_keeps_its_owner ON segment""",
    """DROP FUNCTION segment_keeps_its_owner()""",
    """DROP TRIGGER segment_ahead_keeps_its_place ON segment_ahead""",
    """DROP FUNCTION segment_ahead_keeps_its_place()""",
    """CREATE FUNCTION segment_needs_opt_in() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF ((SELECT active_entry_id FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND (until_us IS NULL OR NEW.starts_us < until_us) FOR SHARE) IS NULL OR NEW.consent_entry_id IS DISTINCT FROM (SELECT active_entry_id FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND (until_us IS NULL OR NEW.starts_us < until_us) FOR SHARE)) AND NOT (EXISTS (SELECT 1 FROM segment_ahead WHERE id = NEW.id AND camera_id = NEW.camera_id AND consent_entry_id = NEW.consent_entry_id AND blob_name = NEW.blob_name AND store = NEW.store AND registered_us <= NEW.starts_us) OR EXISTS (SELECT 1 FROM segment WHERE id = NEW.resealed_from AND state = 'erasing' AND camera_id = NEW.camera_id AND operator_id = NEW.operator_id AND consent_entry_id = NEW.consent_entry_id AND keep_us = NEW.keep_us AND tracks = NEW.tracks AND run = NEW.run AND epoch = NEW.epoch AND store = NEW.store AND blob_name <> NEW.blob_name AND salt <> NEW.salt AND (NEW.ends_us = starts_us OR NEW.starts_us = ends_us) AND NEW.destroy_from_us <= destroy_from_us)) THEN RAISE EXCEPTION 'no active opt-in' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER segment_needs_opt_in BEFORE INSERT ON segment FOR EACH ROW EXECUTE FUNCTION segment_needs_opt_in()""",
    """CREATE FUNCTION segment_kept_part_has_its_origin() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.resealed_from IS NOT NULL AND NOT EXISTS (SELECT 1 FROM segment WHERE id = NEW.resealed_from AND state = 'erasing' AND camera_id = NEW.camera_id AND operator_id = NEW.operator_id AND consent_entry_id = NEW.consent_entry_id AND keep_us = NEW.keep_us AND tracks = NEW.tracks AND run = NEW.run AND epoch = NEW.epoch AND store = NEW.store AND blob_name <> NEW.blob_name AND salt <> NEW.salt AND (NEW.ends_us = starts_us OR NEW.starts_us = ends_us) AND NEW.destroy_from_us <= destroy_from_us) THEN RAISE EXCEPTION 'a kept part lies beside what is destroyed of its segment' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER segment_kept_part_has_its_origin BEFORE INSERT ON segment FOR EACH ROW EXECUTE FUNCTION segment_kept_part_has_its_origin()""",
    """CREATE FUNCTION segment_keeps_its_owner() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.operator_id <> OLD.operator_id OR NEW.camera_id <> OLD.camera_id OR NEW.blob_name <> OLD.blob_name OR NEW.store <> OLD.store OR NEW.resealed_from IS DISTINCT FROM OLD.resealed_from OR (NEW.starts_us <> OLD.starts_us AND (OLD.state <> 'erasing' OR OLD.key_destroyed_at IS NOT NULL OR NEW.starts_us < OLD.starts_us OR NEW.starts_us >= OLD.ends_us)) THEN RAISE EXCEPTION 'a segment keeps its owner, camera, start, name and store' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER segment_keeps_its_owner BEFORE UPDATE OF operator_id, camera_id, starts_us, blob_name, store, resealed_from ON segment FOR EACH ROW EXECUTE FUNCTION segment_keeps_its_owner()""",
    """CREATE FUNCTION segment_ahead_keeps_its_place() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id <> OLD.id OR NEW.operator_id <> OLD.operator_id OR NEW.camera_id <> OLD.camera_id OR NEW.consent_entry_id <> OLD.consent_entry_id OR NEW.blob_name <> OLD.blob_name OR NEW.store <> OLD.store OR NEW.salt <> OLD.salt OR NEW.registered_us <> OLD.registered_us OR NEW.keep_us > OLD.keep_us THEN RAISE EXCEPTION 'what is registered ahead keeps its place, and is never kept longer' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER segment_ahead_keeps_its_place BEFORE UPDATE ON segment_ahead FOR EACH ROW EXECUTE FUNCTION segment_ahead_keeps_its_place()""",
    """CREATE FUNCTION operator_region_no_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'regions are only ever added' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER operator_region_no_update BEFORE UPDATE ON operator_region FOR EACH ROW EXECUTE FUNCTION operator_region_no_update()""",
    """CREATE FUNCTION operator_region_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'regions are only ever added' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER operator_region_no_delete BEFORE DELETE ON operator_region FOR EACH ROW EXECUTE FUNCTION operator_region_no_delete()""",
    """CREATE FUNCTION operator_region_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'regions are only ever added' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER operator_region_no_truncate BEFORE TRUNCATE ON operator_region FOR EACH STATEMENT EXECUTE FUNCTION operator_region_no_truncate()""",
)
