"""The first schema."""

import sqlalchemy as sa
from alembic import op

import vms_privacy.audit.tables
import vms_privacy.db

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "archive_bucket",
        sa.Column("bucket_key_id", sa.Uuid(), nullable=False, comment="its name in the keyring"),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("camera_id", sa.Uuid(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False, comment="hours since 1970, UTC"),
        sa.Column(
            "generation",
            sa.Integer(),
            nullable=False,
            comment="1, 2, 3, … within camera and hour; each re-key adds one",
        ),
        sa.Column("made_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column(
            "replaced_at",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=True,
            comment="no survivor is wrapped under it any more",
        ),
        sa.Column(
            "destroyed_at",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=True,
            comment="the keyring has destroyed it",
        ),
        sa.CheckConstraint(
            "destroyed_at IS NULL OR replaced_at IS NOT NULL", name=op.f("ck_archive_bucket_replaced_before_destroyed")
        ),
        sa.CheckConstraint("generation >= 1", name=op.f("ck_archive_bucket_counted_from_one")),
        sa.PrimaryKeyConstraint("bucket_key_id", name=op.f("pk_archive_bucket")),
        sa.UniqueConstraint(
            "camera_id", "hour", "generation", name=op.f("uq_archive_bucket_camera_id_hour_generation")
        ),
    )
    op.create_index(
        "ix_archive_bucket_current",
        "archive_bucket",
        ["camera_id", "hour"],
        unique=True,
        sqlite_where=sa.text("replaced_at IS NULL"),
        postgresql_where=sa.text("replaced_at IS NULL"),
    )
    op.create_table(
        "audit_checkpoint",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("line", sa.Text(), nullable=False, comment="the line of the anchor, audit-chain-v1, 6.2"),
        sa.CheckConstraint("number > 0", name=op.f("ck_audit_checkpoint_number_counts_from_one")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_checkpoint")),
    )
    op.create_table(
        "audit_event",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="order of arrival, with gaps; the chain's position is the order that counts",
        ),
        sa.Column(
            "event_id",
            vms_privacy.audit.tables.IdBytes(length=16),
            nullable=False,
            comment="random; also keeps a published leaf from being guessed",
        ),
        sa.Column("tag", sa.SmallInteger(), nullable=False, comment="audit/events.py, Tag"),
        sa.Column("outcome", sa.String(length=8), nullable=False),
        sa.Column(
            "at_us", sa.BigInteger(), nullable=False, comment="microseconds since 1970, UTC; hashed as it stands"
        ),
        sa.Column(
            "operator_id",
            vms_privacy.audit.tables.IdBytes(length=16),
            nullable=True,
            comment="null: an event of the platform itself",
        ),
        sa.Column("camera_id", vms_privacy.audit.tables.IdBytes(length=16), nullable=True),
        sa.Column("actor", sa.String(length=200), nullable=False, comment="a principal's label, an id"),
        sa.Column("reason", sa.String(length=200), nullable=False, comment="a stable code or our own sentence"),
        sa.Column("detail", sa.Text(), nullable=False, comment="JSON as audit-chain-v1, 3.2 says; hashed as it stands"),
        sa.CheckConstraint("outcome IN ('done', 'refused', 'failed')", name=op.f("ck_audit_event_outcome_is_known")),
        sa.CheckConstraint("tag > 0", name=op.f("ck_audit_event_tag_is_given")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_event")),
    )
    op.create_table(
        "consent_entry",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "number", sa.Integer(), nullable=False, comment="1, 2, 3, … per camera and kind; the highest decides"
        ),
        sa.Column("camera_id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False, comment="whose act it is"),
        sa.Column("actor", sa.String(length=200), nullable=False, comment="a principal's label, an id"),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("answer", sa.String(length=9), nullable=False),
        sa.Column(
            "from_at",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=False,
            comment="when it was written and took effect",
        ),
        sa.Column(
            "until_at",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=True,
            comment="when an opt-in ends by itself",
        ),
        sa.Column("purpose", sa.String(length=200), nullable=False),
        sa.Column("legal_basis", sa.String(length=20), nullable=False, comment="GDPR, Article 6(1)"),
        sa.Column(
            "wording_version",
            sa.String(length=64),
            nullable=False,
            comment="SHA-256 of the text agreed to; consent/wording.py",
        ),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column(
            "sign_confirmed_at",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=True,
            comment="when the sign was seen to hang",
        ),
        sa.Column("reason", sa.String(length=200), nullable=False, comment="of a withdrawal; a stable code"),
        sa.CheckConstraint(
            "answer = 'withdrawn' OR (actor LIKE 'person:%' AND method IN ('console', 'api', 'command-line'))",
            name=op.f("ck_consent_entry_given_by_a_person"),
        ),
        sa.CheckConstraint(
            "answer = 'withdrawn' OR (trim(purpose) <> '' AND legal_basis <> '' AND length(wording_version) = 64 AND sign_confirmed_at IS NOT NULL AND sign_confirmed_at <= from_at)",
            name=op.f("ck_consent_entry_given_is_whole"),
        ),
        sa.CheckConstraint("answer IN ('given', 'withdrawn')", name=op.f("ck_consent_entry_answer_is_known")),
        sa.CheckConstraint(
            "kind IN ('video-recording', 'live-audio', 'recorded-audio')", name=op.f("ck_consent_entry_kind_is_known")
        ),
        sa.CheckConstraint(
            "until_at IS NULL OR (answer = 'given' AND until_at > from_at)", name=op.f("ck_consent_entry_runs_forward")
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_consent_entry_number_counts_from_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_entry")),
        sa.UniqueConstraint("camera_id", "kind", "number", name=op.f("uq_consent_entry_camera_id_kind_number")),
    )
    op.create_table(
        "erasure",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("cause", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False, comment="a principal's label, an id"),
        sa.Column("journal_number", sa.BigInteger(), nullable=False, comment="the custody journal's entry, made first"),
        sa.Column("step", sa.Integer(), nullable=False, comment="the last step that is durable; see rules.Step"),
        sa.Column("segments", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("started_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column("done_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="failed rounds so far"),
        sa.Column("last_failure", sa.String(length=80), nullable=False, comment="a code or a type, never a path"),
        sa.Column("next_attempt_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(step = 8) = (done_at IS NOT NULL)", name=op.f("ck_erasure_done_means_done")),
        sa.CheckConstraint("step BETWEEN 1 AND 8", name=op.f("ck_erasure_known_step")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
    )
    op.create_index("ix_erasure_done_at_next_attempt_at", "erasure", ["done_at", "next_attempt_at"], unique=False)
    op.create_table(
        "operator",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False, comment="first segment of its streaming URLs"),
        sa.Column("title", sa.String(length=200), nullable=False, comment="for people"),
        sa.Column("created_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 63", name=op.f("ck_operator_name_has_a_length")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator")),
        sa.UniqueConstraint("name", name=op.f("uq_operator_name")),
    )
    op.create_table(
        "receipt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False, comment="hourly, or on-demand"),
        sa.Column("covers_from", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column("covers_until", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column("leaf_count", sa.Integer(), nullable=False),
        sa.Column("signed_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False, comment="docs/formats/receipt-v1.md"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipt")),
    )
    op.create_index("ix_receipt_operator_id_signed_at", "receipt", ["operator_id", "signed_at"], unique=False)
    op.create_table(
        "recording_gap",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("camera_id", sa.Uuid(), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=True, comment="empty while it lasts"),
        sa.Column("why", sa.String(length=40), nullable=False, comment="a stable code, such as camera-unreachable"),
        sa.CheckConstraint("until_us IS NULL OR until_us >= from_us", name=op.f("ck_recording_gap_runs_forward")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recording_gap")),
    )
    op.create_index("ix_recording_gap_camera_id_from_us", "recording_gap", ["camera_id", "from_us"], unique=False)
    op.create_table(
        "retention_policy",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("camera_id", sa.Uuid(), nullable=False),
        sa.Column(
            "version",
            sa.Integer(),
            nullable=False,
            comment="1, 2, 3, …; without any row the default of 72 h holds as version 0",
        ),
        sa.Column("keep_seconds", sa.BigInteger(), nullable=False),
        sa.Column("justification", sa.String(length=2000), nullable=False),
        sa.Column("set_by", sa.String(length=80), nullable=False, comment="a principal's label, an id"),
        sa.Column("set_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "keep_seconds <= 259200 OR length(justification) > 0", name=op.f("ck_retention_policy_longer_is_justified")
        ),
        sa.CheckConstraint("keep_seconds >= 10", name=op.f("ck_retention_policy_long_enough_to_exist")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention_policy")),
        sa.UniqueConstraint("camera_id", "version", name=op.f("uq_retention_policy_camera_id_version")),
    )
    op.create_table(
        "stream_token",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "handle_digest",
            sa.LargeBinary(length=32),
            nullable=False,
            comment="SHA-256 of the handle; the handle itself is nowhere",
        ),
        sa.Column(
            "payload",
            sa.String(length=2048),
            nullable=False,
            comment="second part of the JWT, so that both forms say the same; nothing without its signature",
        ),
        sa.Column(
            "session_until",
            sa.BigInteger(),
            nullable=False,
            comment="seconds since 1970 UTC; nothing goes on with it from here on",
        ),
        sa.Column("withdrawn_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stream_token")),
        sa.UniqueConstraint("handle_digest", name=op.f("uq_stream_token_handle_digest")),
    )
    op.create_index(op.f("ix_stream_token_session_until"), "stream_token", ["session_until"], unique=False)
    op.create_table(
        "audit_chain",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="1, 2, 3, …; two sealers at once cannot make a fork",
        ),
        sa.Column("event_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "operator_id",
            vms_privacy.audit.tables.IdBytes(length=16),
            nullable=True,
            comment="the event's; here so that a page is one index walk",
        ),
        sa.Column("leaf", sa.LargeBinary(length=32), nullable=False, comment="audit-chain-v1, 4"),
        sa.Column(
            "head", sa.LargeBinary(length=32), nullable=False, comment="audit-chain-v1, 4: over the one before and leaf"
        ),
        sa.CheckConstraint("length(leaf) = 32 AND length(head) = 32", name=op.f("ck_audit_chain_hashes_are_whole")),
        sa.CheckConstraint("position > 0", name=op.f("ck_audit_chain_position_counts_from_one")),
        sa.ForeignKeyConstraint(
            ["event_number"], ["audit_event.number"], name=op.f("fk_audit_chain_event_number_audit_event")
        ),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_chain")),
        sa.UniqueConstraint("event_number", name=op.f("uq_audit_chain_event_number")),
    )
    op.create_index(
        op.f("ix_audit_chain_operator_id_position"), "audit_chain", ["operator_id", "position"], unique=False
    )
    op.create_table(
        "audit_unsealed",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["number"], ["audit_event.number"], name=op.f("fk_audit_unsealed_number_audit_event")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_unsealed")),
    )
    op.create_table(
        "consent_head",
        sa.Column("camera_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("active_entry_id", sa.Uuid(), nullable=True, comment="the opt-in given last; null once withdrawn"),
        sa.Column("until_us", sa.BigInteger(), nullable=True, comment="its end, microseconds since 1970, UTC"),
        sa.Column("changed_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('video-recording', 'live-audio', 'recorded-audio')", name=op.f("ck_consent_head_kind_is_known")
        ),
        sa.ForeignKeyConstraint(
            ["active_entry_id"], ["consent_entry.id"], name=op.f("fk_consent_head_active_entry_id_consent_entry")
        ),
        sa.PrimaryKeyConstraint("camera_id", "kind", name=op.f("pk_consent_head")),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=True),
        sa.Column("login", sa.String(length=127), nullable=False, comment="what the person types to log in"),
        sa.Column("display_name", sa.String(length=200), nullable=False, comment="for people; never in the audit"),
        sa.Column(
            "password_hash",
            sa.String(length=255),
            nullable=True,
            comment="Argon2id with its salt and parameters; empty until the person sets a password",
        ),
        sa.Column("is_platform_admin", sa.Boolean(), nullable=False),
        sa.Column("created_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "is_platform_admin = (operator_id IS NULL)", name=op.f("ck_person_platform_admins_have_no_operator")
        ),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_person_operator_id_operator")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("login", name=op.f("uq_person_login")),
    )
    op.create_index(op.f("ix_person_operator_id"), "person", ["operator_id"], unique=False)
    op.create_table(
        "resource",
        sa.Column("camera_id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column(
            "name",
            sa.String(length=63),
            nullable=False,
            comment="unique in its operator, removed cameras included: footage outlives them",
        ),
        sa.Column("group_path", sa.String(length=255), nullable=False, comment="names joined by /; empty: in no group"),
        sa.Column("version", sa.Integer(), nullable=False, comment="rises with every change of this row"),
        sa.Column("removed_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=True),
        sa.CheckConstraint("version >= 1", name=op.f("ck_resource_version_counts_up")),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_resource_operator_id_operator")),
        sa.PrimaryKeyConstraint("camera_id", name=op.f("pk_resource")),
        sa.UniqueConstraint("operator_id", "name", name=op.f("uq_resource_operator_id_name")),
    )
    op.create_table(
        "segment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False, comment="who owns the footage; never changes"),
        sa.Column("camera_id", sa.Uuid(), nullable=False, comment="what recorded it; never changes"),
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
            comment="the retention policy in force at its start; 0 is the default",
        ),
        sa.Column(
            "state", sa.String(length=8), nullable=False, comment="writing, stored, erasing or erased; see rules.NEXT"
        ),
        sa.Column(
            "place", sa.String(length=5), nullable=False, comment="spool until the store has confirmed the bytes"
        ),
        sa.Column("blob_name", sa.String(length=22), nullable=False, comment="opaque, used once, ever"),
        sa.Column("starts_us", sa.BigInteger(), nullable=False, comment="our clock, first picture"),
        sa.Column("ends_us", sa.BigInteger(), nullable=True, comment="our clock, end of the last picture"),
        sa.Column(
            "keep_us", sa.BigInteger(), nullable=False, comment="retention of these pictures; shortening lowers it"
        ),
        sa.Column("destroy_from_us", sa.BigInteger(), nullable=True, comment="end of its last packet + keep_us"),
        sa.Column(
            "run",
            sa.String(length=36),
            nullable=False,
            comment="one connection to the camera; decode times go on within",
        ),
        sa.Column("epoch", sa.Integer(), nullable=False, comment="one set of parameters within the run"),
        sa.Column("tracks", sa.String(length=16), nullable=False, comment="video, or video+audio"),
        sa.Column("chunk_size", sa.Integer(), nullable=False, comment="bytes of plaintext per sealed chunk"),
        sa.Column("bucket_key_id", sa.Uuid(), nullable=False, comment="the key in the keyring that wraps its own"),
        sa.Column("bucket_hour", sa.Integer(), nullable=False, comment="hours since 1970, UTC, of the bucket"),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=True, comment="gone once destroyed"),
        sa.Column(
            "salt", sa.LargeBinary(length=32), nullable=True, comment="of the file's header; a foreign copy differs"
        ),
        sa.Column(
            "last_tag", sa.LargeBinary(length=16), nullable=True, comment="of the last chunk; an older copy differs"
        ),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True, comment="of the sealed file, once it is closed"),
        sa.Column("recovered", sa.Boolean(), nullable=False, comment="closed after a crash; its end was cut"),
        sa.Column("erasure_id", sa.Uuid(), nullable=True, comment="the erasure that took it"),
        sa.Column(
            "key_destroyed_at",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=True,
            comment="from then on no key opens it",
        ),
        sa.Column(
            "bytes_gone_at",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=True,
            comment="the store has confirmed it",
        ),
        sa.Column("store_answer", sa.String(length=16), nullable=True, comment="erased, or was-not-there"),
        sa.Column("receipt_id", sa.Uuid(), nullable=True, comment="the receipt that tells of it"),
        sa.CheckConstraint("place IN ('spool', 'store')", name=op.f("ck_segment_known_place")),
        sa.CheckConstraint("state <> 'erased' OR wrapped_key IS NULL", name=op.f("ck_segment_erased_means_keyless")),
        sa.CheckConstraint("state = 'writing' OR ends_us IS NOT NULL", name=op.f("ck_segment_only_growing_is_open")),
        sa.CheckConstraint(
            "state IN ('erasing', 'erased') OR wrapped_key IS NOT NULL", name=op.f("ck_segment_kept_means_keyed")
        ),
        sa.CheckConstraint("state IN ('writing', 'stored', 'erasing', 'erased')", name=op.f("ck_segment_known_state")),
        sa.CheckConstraint("ends_us IS NULL OR ends_us > starts_us", name=op.f("ck_segment_runs_forward")),
        sa.CheckConstraint("keep_us > 0", name=op.f("ck_segment_keeps_for_a_time")),
        sa.ForeignKeyConstraint(
            ["consent_entry_id"], ["consent_entry.id"], name=op.f("fk_segment_consent_entry_id_consent_entry")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segment")),
        sa.UniqueConstraint("blob_name", name=op.f("uq_segment_blob_name")),
    )
    op.create_index("ix_segment_bucket_key_id", "segment", ["bucket_key_id"], unique=False)
    op.create_index(
        "ix_segment_in_spool",
        "segment",
        ["state", "starts_us", "id"],
        unique=False,
        sqlite_where=sa.text("place = 'spool'"),
        postgresql_where=sa.text("place = 'spool'"),
    )
    op.create_index("ix_segment_camera_id_ends_us", "segment", ["camera_id", "ends_us"], unique=False)
    op.create_index("ix_segment_camera_id_starts_us", "segment", ["camera_id", "starts_us"], unique=False)
    op.create_index("ix_segment_erasure_id", "segment", ["erasure_id"], unique=False)
    op.create_index("ix_segment_receipt_id_state", "segment", ["receipt_id", "state"], unique=False)
    op.create_index("ix_segment_state_destroy_from_us", "segment", ["state", "destroy_from_us"], unique=False)
    op.create_table(
        "access_grant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column(
            "role", sa.String(length=32), nullable=True, comment="the bundle the rights were taken from, for people"
        ),
        sa.Column(
            "rights",
            sa.String(length=255),
            nullable=False,
            comment="sorted, joined by a comma; these decide, not the role",
        ),
        sa.Column("camera_id", sa.Uuid(), nullable=True),
        sa.Column(
            "group_path",
            sa.String(length=255),
            nullable=True,
            comment="this group and all below it; camera and group empty: the whole operator",
        ),
        sa.Column("valid_from", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column("valid_until", vms_privacy.db.UTCDateTime(timezone=True), nullable=True),
        sa.Column("depth_seconds", sa.Integer(), nullable=True, comment="how far back the archive may be read"),
        sa.Column(
            "window_from",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=True,
            comment="start of a fixed archive window",
        ),
        sa.Column(
            "window_until",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=True,
            comment="end of a fixed archive window",
        ),
        sa.Column("version", sa.Integer(), nullable=False, comment="rises with every change and with the withdrawal"),
        sa.Column("created_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=True),
        sa.CheckConstraint("group_path IS NULL OR group_path <> ''", name=op.f("ck_access_grant_a_group_has_a_path")),
        sa.CheckConstraint("rights <> ''", name=op.f("ck_access_grant_gives_something")),
        sa.CheckConstraint("camera_id IS NULL OR group_path IS NULL", name=op.f("ck_access_grant_one_scope")),
        sa.CheckConstraint(
            "depth_seconds IS NULL OR depth_seconds > 0", name=op.f("ck_access_grant_depth_is_positive")
        ),
        sa.CheckConstraint(
            "valid_until IS NULL OR valid_until > valid_from", name=op.f("ck_access_grant_runs_forward")
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_access_grant_version_counts_up")),
        sa.CheckConstraint(
            "window_until IS NULL OR window_from IS NULL OR window_until > window_from",
            name=op.f("ck_access_grant_window_opens"),
        ),
        sa.ForeignKeyConstraint(["camera_id"], ["resource.camera_id"], name=op.f("fk_access_grant_camera_id_resource")),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_access_grant_operator_id_operator")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_access_grant_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_grant")),
    )
    op.create_index(op.f("ix_access_grant_operator_id"), "access_grant", ["operator_id"], unique=False)
    op.create_index(op.f("ix_access_grant_person_id"), "access_grant", ["person_id"], unique=False)
    op.create_table(
        "camera",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("scheme", sa.String(length=5), nullable=False),
        sa.Column(
            "host", sa.String(length=253), nullable=False, comment="name or IP address; user and password are sealed"
        ),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column(
            "sealed_url",
            sa.LargeBinary(),
            nullable=True,
            comment="whole URL under the keyring's camera-credential key, bound to the camera id",
        ),
        sa.Column("has_credential", sa.Boolean(), nullable=False, comment="whether the sealed URL names a user"),
        sa.Column(
            "purpose", sa.String(length=500), nullable=False, comment="what it is there for, in the operator's words"
        ),
        sa.Column(
            "plain_exception",
            sa.String(length=500),
            nullable=False,
            comment="why it may send unencrypted, in the operator's words; empty: it may not",
        ),
        sa.Column(
            "pin",
            sa.String(length=64),
            nullable=False,
            comment="SHA-256 of its certificate, or empty: verified by authority",
        ),
        sa.Column("created_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column("removed_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False, comment="rises with every change of this row"),
        sa.CheckConstraint("purpose <> ''", name=op.f("ck_camera_purpose_is_said")),
        sa.CheckConstraint("scheme IN ('rtsp', 'rtsps')", name=op.f("ck_camera_scheme_is_rtsp")),
        sa.CheckConstraint("port BETWEEN 1 AND 65535", name=op.f("ck_camera_port_is_one")),
        sa.CheckConstraint("removed_at IS NULL OR sealed_url IS NULL", name=op.f("ck_camera_removed_means_forgotten")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_camera_version_counts_up")),
        sa.ForeignKeyConstraint(["id"], ["resource.camera_id"], name=op.f("fk_camera_id_resource")),
        sa.ForeignKeyConstraint(["operator_id"], ["operator.id"], name=op.f("fk_camera_operator_id_operator")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_camera")),
    )
    op.create_index(op.f("ix_camera_operator_id"), "camera", ["operator_id"], unique=False)
    op.create_table(
        "enrolment_code",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False, comment="SHA-256 of the code"),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("made_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column("expires_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column(
            "used_at",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=True,
            comment="used, or replaced by a newer one",
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_enrolment_code_person_id_person")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_enrolment_code")),
    )
    op.create_index(op.f("ix_enrolment_code_person_id"), "enrolment_code", ["person_id"], unique=False)
    op.create_table(
        "login_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column(
            "family_digest",
            sa.LargeBinary(length=32),
            nullable=False,
            comment="SHA-256 of the part that all refresh tokens of the family share",
        ),
        sa.Column(
            "refresh_digest", sa.LargeBinary(length=32), nullable=False, comment="SHA-256 of the one that works now"
        ),
        sa.Column(
            "access_digest",
            sa.LargeBinary(length=32),
            nullable=False,
            comment="SHA-256 of the current access token; refreshing ends the one before",
        ),
        sa.Column("access_expires_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column("opened_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=False),
        sa.Column(
            "expires_at",
            vms_privacy.db.UTCDateTime(timezone=True),
            nullable=False,
            comment="absolute; rotating does not move it",
        ),
        sa.Column("ended_at", vms_privacy.db.UTCDateTime(timezone=True), nullable=True),
        sa.Column("ended_why", sa.String(length=32), nullable=True),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (ended_why IS NULL)", name=op.f("ck_login_session_an_end_has_a_reason")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_login_session_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_session")),
        sa.UniqueConstraint("access_digest", name=op.f("uq_login_session_access_digest")),
        sa.UniqueConstraint("family_digest", name=op.f("uq_login_session_family_digest")),
    )
    op.create_index(op.f("ix_login_session_person_id"), "login_session", ["person_id"], unique=False)

    # What the database itself refuses.
    guards = _GUARDS if op.get_bind().dialect.name == "sqlite" else _GUARDS_POSTGRESQL
    for statement in guards:
        op.execute(statement)


_GUARDS = (
    """CREATE TRIGGER bucket_stays_destroyed BEFORE UPDATE ON archive_bucket
WHEN NEW.bucket_key_id <> OLD.bucket_key_id OR NEW.operator_id <> OLD.operator_id OR NEW.camera_id <> OLD.camera_id
  OR NEW.hour <> OLD.hour OR NEW.generation <> OLD.generation
  OR (OLD.replaced_at IS NOT NULL AND NEW.replaced_at IS NOT OLD.replaced_at)
  OR (OLD.destroyed_at IS NOT NULL AND NEW.destroyed_at IS NOT OLD.destroyed_at)
BEGIN SELECT RAISE(ABORT, 'a bucket keeps its place, and what is destroyed stays destroyed'); END""",
    """CREATE TRIGGER audit_checkpoint_refuses_update BEFORE UPDATE ON audit_checkpoint BEGIN SELECT RAISE(ABORT, 'audit_checkpoint is append-only'); END""",
    """CREATE TRIGGER audit_checkpoint_refuses_delete BEFORE DELETE ON audit_checkpoint BEGIN SELECT RAISE(ABORT, 'audit_checkpoint is append-only'); END""",
    """CREATE TRIGGER audit_checkpoint_refuses_replace BEFORE INSERT ON audit_checkpoint WHEN EXISTS (SELECT 1 FROM audit_checkpoint WHERE number = NEW.number) BEGIN SELECT RAISE(ABORT, 'audit_checkpoint is append-only'); END""",
    """CREATE TRIGGER audit_event_refuses_update BEFORE UPDATE ON audit_event BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END""",
    """CREATE TRIGGER audit_event_refuses_delete BEFORE DELETE ON audit_event BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END""",
    """CREATE TRIGGER audit_event_refuses_replace BEFORE INSERT ON audit_event WHEN EXISTS (SELECT 1 FROM audit_event WHERE number = NEW.number) BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END""",
    """CREATE TRIGGER audit_event_waits_for_its_seal AFTER INSERT ON audit_event BEGIN INSERT INTO audit_unsealed (number) VALUES (NEW.number); END""",
    """CREATE TRIGGER consent_entry_refuses_update BEFORE UPDATE ON consent_entry BEGIN SELECT RAISE(ABORT, 'consent_entry is append-only'); END""",
    """CREATE TRIGGER consent_entry_refuses_delete BEFORE DELETE ON consent_entry BEGIN SELECT RAISE(ABORT, 'consent_entry is append-only'); END""",
    """CREATE TRIGGER consent_entry_refuses_replace BEFORE INSERT ON consent_entry WHEN EXISTS (SELECT 1 FROM consent_entry WHERE id = NEW.id OR (camera_id = NEW.camera_id AND kind = NEW.kind AND number = NEW.number)) BEGIN SELECT RAISE(ABORT, 'consent_entry is append-only'); END""",
    """CREATE TRIGGER consent_entry_leaves_no_number_out BEFORE INSERT ON consent_entry WHEN NEW.number <> 1 + (SELECT coalesce(max(number), 0) FROM consent_entry WHERE camera_id = NEW.camera_id AND kind = NEW.kind) BEGIN SELECT RAISE(ABORT, 'consent_entry leaves no number out'); END""",
    """CREATE TRIGGER consent_entry_records_sound_only_beside_pictures BEFORE INSERT ON consent_entry WHEN NEW.kind = 'recorded-audio' AND NEW.answer = 'given' AND NOT EXISTS (SELECT 1 FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND active_entry_id IS NOT NULL) BEGIN SELECT RAISE(ABORT, 'recorded audio needs video recording'); END""",
    """CREATE TRIGGER receipt_no_update BEFORE UPDATE ON receipt
BEGIN SELECT RAISE(ABORT, 'receipts are only ever added'); END""",
    """CREATE TRIGGER receipt_no_delete BEFORE DELETE ON receipt
BEGIN SELECT RAISE(ABORT, 'receipts are only ever added'); END""",
    """CREATE TRIGGER retention_policy_no_update BEFORE UPDATE ON retention_policy
BEGIN SELECT RAISE(ABORT, 'retention policies are only ever added'); END""",
    """CREATE TRIGGER retention_policy_no_delete BEFORE DELETE ON retention_policy
BEGIN SELECT RAISE(ABORT, 'retention policies are only ever added'); END""",
    """CREATE TRIGGER audit_chain_refuses_update BEFORE UPDATE ON audit_chain BEGIN SELECT RAISE(ABORT, 'audit_chain is append-only'); END""",
    """CREATE TRIGGER audit_chain_refuses_delete BEFORE DELETE ON audit_chain BEGIN SELECT RAISE(ABORT, 'audit_chain is append-only'); END""",
    """CREATE TRIGGER audit_chain_refuses_replace BEFORE INSERT ON audit_chain WHEN EXISTS (SELECT 1 FROM audit_chain WHERE position = NEW.position OR event_number = NEW.event_number) BEGIN SELECT RAISE(ABORT, 'audit_chain is append-only'); END""",
    """CREATE TRIGGER consent_head_tells_the_newest_on_insert BEFORE INSERT ON consent_head WHEN NEW.active_entry_id IS NOT (SELECT CASE answer WHEN 'given' THEN id END FROM consent_entry WHERE camera_id = NEW.camera_id AND kind = NEW.kind ORDER BY number DESC LIMIT 1) BEGIN SELECT RAISE(ABORT, 'consent_head tells what the newest entry says'); END""",
    """CREATE TRIGGER consent_head_tells_the_newest_on_update BEFORE UPDATE ON consent_head WHEN NEW.active_entry_id IS NOT (SELECT CASE answer WHEN 'given' THEN id END FROM consent_entry WHERE camera_id = NEW.camera_id AND kind = NEW.kind ORDER BY number DESC LIMIT 1) BEGIN SELECT RAISE(ABORT, 'consent_head tells what the newest entry says'); END""",
    """CREATE TRIGGER consent_head_refuses_delete BEFORE DELETE ON consent_head BEGIN SELECT RAISE(ABORT, 'consent_head is never deleted'); END""",
    """CREATE TRIGGER segment_needs_opt_in BEFORE INSERT ON segment WHEN (SELECT active_entry_id FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND (until_us IS NULL OR NEW.starts_us < until_us)) IS NULL OR NEW.consent_entry_id IS NOT (SELECT active_entry_id FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND (until_us IS NULL OR NEW.starts_us < until_us)) BEGIN SELECT RAISE(ABORT, 'no active opt-in'); END""",
    """CREATE TRIGGER segment_never_overlaps BEFORE INSERT ON segment
WHEN EXISTS (SELECT 1 FROM segment WHERE camera_id = NEW.camera_id AND ends_us > NEW.starts_us
  AND (NEW.ends_us IS NULL OR starts_us < NEW.ends_us))
  OR EXISTS (SELECT 1 FROM segment WHERE camera_id = NEW.camera_id AND ends_us IS NULL)
BEGIN SELECT RAISE(ABORT, 'segment overlaps another'); END""",
    """CREATE TRIGGER segment_keeps_its_owner BEFORE UPDATE OF operator_id, camera_id, starts_us, blob_name ON segment
WHEN NEW.operator_id <> OLD.operator_id OR NEW.camera_id <> OLD.camera_id OR NEW.starts_us <> OLD.starts_us
  OR NEW.blob_name <> OLD.blob_name
BEGIN SELECT RAISE(ABORT, 'a segment keeps its owner, camera, start and name'); END""",
    """CREATE TRIGGER segment_is_never_kept_longer BEFORE UPDATE OF keep_us ON segment
WHEN NEW.keep_us > OLD.keep_us
BEGIN SELECT RAISE(ABORT, 'longer retention never reaches footage taken before'); END""",
    """CREATE TRIGGER segment_stays_erased BEFORE UPDATE ON segment
WHEN (OLD.wrapped_key IS NULL AND NEW.wrapped_key IS NOT NULL)
  OR (OLD.state = 'erased' AND NEW.state <> 'erased') OR (OLD.state = 'erasing' AND NEW.state IN ('writing', 'stored'))
BEGIN SELECT RAISE(ABORT, 'what is destroyed stays destroyed'); END""",
)

_GUARDS_POSTGRESQL = (
    """CREATE FUNCTION bucket_stays_destroyed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.bucket_key_id <> OLD.bucket_key_id OR NEW.operator_id <> OLD.operator_id OR NEW.camera_id <> OLD.camera_id OR NEW.hour <> OLD.hour OR NEW.generation <> OLD.generation OR (OLD.replaced_at IS NOT NULL AND NEW.replaced_at IS DISTINCT FROM OLD.replaced_at) OR (OLD.destroyed_at IS NOT NULL AND NEW.destroyed_at IS DISTINCT FROM OLD.destroyed_at) THEN RAISE EXCEPTION 'a bucket keeps its place, and what is destroyed stays destroyed' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER bucket_stays_destroyed BEFORE UPDATE ON archive_bucket FOR EACH ROW EXECUTE FUNCTION bucket_stays_destroyed()""",
    """CREATE FUNCTION audit_checkpoint_refuses_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'audit_checkpoint is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER audit_checkpoint_refuses_update BEFORE UPDATE ON audit_checkpoint FOR EACH ROW EXECUTE FUNCTION audit_checkpoint_refuses_update()""",
    """CREATE FUNCTION audit_checkpoint_refuses_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'audit_checkpoint is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER audit_checkpoint_refuses_delete BEFORE DELETE ON audit_checkpoint FOR EACH ROW EXECUTE FUNCTION audit_checkpoint_refuses_delete()""",
    """CREATE FUNCTION audit_checkpoint_refuses_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'audit_checkpoint is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER audit_checkpoint_refuses_truncate BEFORE TRUNCATE ON audit_checkpoint FOR EACH STATEMENT EXECUTE FUNCTION audit_checkpoint_refuses_truncate()""",
    """CREATE FUNCTION audit_event_refuses_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'audit_event is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER audit_event_refuses_update BEFORE UPDATE ON audit_event FOR EACH ROW EXECUTE FUNCTION audit_event_refuses_update()""",
    """CREATE FUNCTION audit_event_refuses_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'audit_event is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER audit_event_refuses_delete BEFORE DELETE ON audit_event FOR EACH ROW EXECUTE FUNCTION audit_event_refuses_delete()""",
    """CREATE FUNCTION audit_event_refuses_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'audit_event is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER audit_event_refuses_truncate BEFORE TRUNCATE ON audit_event FOR EACH STATEMENT EXECUTE FUNCTION audit_event_refuses_truncate()""",
    """CREATE FUNCTION audit_event_waits_for_its_seal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit_unsealed (number) VALUES (NEW.number); RETURN NULL; END $$""",
    """CREATE TRIGGER audit_event_waits_for_its_seal AFTER INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION audit_event_waits_for_its_seal()""",
    """CREATE FUNCTION consent_entry_refuses_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'consent_entry is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER consent_entry_refuses_update BEFORE UPDATE ON consent_entry FOR EACH ROW EXECUTE FUNCTION consent_entry_refuses_update()""",
    """CREATE FUNCTION consent_entry_refuses_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'consent_entry is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER consent_entry_refuses_delete BEFORE DELETE ON consent_entry FOR EACH ROW EXECUTE FUNCTION consent_entry_refuses_delete()""",
    """CREATE FUNCTION consent_entry_refuses_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'consent_entry is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER consent_entry_refuses_truncate BEFORE TRUNCATE ON consent_entry FOR EACH STATEMENT EXECUTE FUNCTION consent_entry_refuses_truncate()""",
    """CREATE FUNCTION consent_entry_leaves_no_number_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.number <> 1 + (SELECT coalesce(max(number), 0) FROM consent_entry WHERE camera_id = NEW.camera_id AND kind = NEW.kind) THEN RAISE EXCEPTION 'consent_entry leaves no number out' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER consent_entry_leaves_no_number_out BEFORE INSERT ON consent_entry FOR EACH ROW EXECUTE FUNCTION consent_entry_leaves_no_number_out()""",
    """CREATE FUNCTION consent_entry_records_sound_only_beside_pictures() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.kind = 'recorded-audio' AND NEW.answer = 'given' AND NOT EXISTS (SELECT 1 FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND active_entry_id IS NOT NULL) THEN RAISE EXCEPTION 'recorded audio needs video recording' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER consent_entry_records_sound_only_beside_pictures BEFORE INSERT ON consent_entry FOR EACH ROW EXECUTE FUNCTION consent_entry_records_sound_only_beside_pictures()""",
    """CREATE FUNCTION receipt_no_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'receipts are only ever added' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER receipt_no_update BEFORE UPDATE ON receipt FOR EACH ROW EXECUTE FUNCTION receipt_no_update()""",
    """CREATE FUNCTION receipt_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'receipts are only ever added' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER receipt_no_delete BEFORE DELETE ON receipt FOR EACH ROW EXECUTE FUNCTION receipt_no_delete()""",
    """CREATE FUNCTION receipt_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'receipts are only ever added' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER receipt_no_truncate BEFORE TRUNCATE ON receipt FOR EACH STATEMENT EXECUTE FUNCTION receipt_no_truncate()""",
    """CREATE FUNCTION retention_policy_no_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'retention policies are only ever added' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER retention_policy_no_update BEFORE UPDATE ON retention_policy FOR EACH ROW EXECUTE FUNCTION retention_policy_no_update()""",
    """CREATE FUNCTION retention_policy_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'retention policies are only ever added' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER retention_policy_no_delete BEFORE DELETE ON retention_policy FOR EACH ROW EXECUTE FUNCTION retention_policy_no_delete()""",
    """CREATE FUNCTION retention_policy_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'retention policies are only ever added' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER retention_policy_no_truncate BEFORE TRUNCATE ON retention_policy FOR EACH STATEMENT EXECUTE FUNCTION retention_policy_no_truncate()""",
    """CREATE FUNCTION audit_chain_refuses_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'audit_chain is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER audit_chain_refuses_update BEFORE UPDATE ON audit_chain FOR EACH ROW EXECUTE FUNCTION audit_chain_refuses_update()""",
    """CREATE FUNCTION audit_chain_refuses_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'audit_chain is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER audit_chain_refuses_delete BEFORE DELETE ON audit_chain FOR EACH ROW EXECUTE FUNCTION audit_chain_refuses_delete()""",
    """CREATE FUNCTION audit_chain_refuses_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'audit_chain is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER audit_chain_refuses_truncate BEFORE TRUNCATE ON audit_chain FOR EACH STATEMENT EXECUTE FUNCTION audit_chain_refuses_truncate()""",
    """CREATE FUNCTION consent_head_tells_the_newest_on_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.active_entry_id IS DISTINCT FROM (SELECT CASE answer WHEN 'given' THEN id END FROM consent_entry WHERE camera_id = NEW.camera_id AND kind = NEW.kind ORDER BY number DESC LIMIT 1) THEN RAISE EXCEPTION 'consent_head tells what the newest entry says' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER consent_head_tells_the_newest_on_insert BEFORE INSERT ON consent_head FOR EACH ROW EXECUTE FUNCTION consent_head_tells_the_newest_on_insert()""",
    """CREATE FUNCTION consent_head_tells_the_newest_on_update() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.active_entry_id IS DISTINCT FROM (SELECT CASE answer WHEN 'given' THEN id END FROM consent_entry WHERE camera_id = NEW.camera_id AND kind = NEW.kind ORDER BY number DESC LIMIT 1) THEN RAISE EXCEPTION 'consent_head tells what the newest entry says' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER consent_head_tells_the_newest_on_update BEFORE UPDATE ON consent_head FOR EACH ROW EXECUTE FUNCTION consent_head_tells_the_newest_on_update()""",
    """CREATE FUNCTION consent_head_refuses_delete() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'consent_head is never deleted' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER consent_head_refuses_delete BEFORE DELETE ON consent_head FOR EACH ROW EXECUTE FUNCTION consent_head_refuses_delete()""",
    """CREATE FUNCTION consent_head_refuses_truncate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'consent_head is never deleted' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    """CREATE TRIGGER consent_head_refuses_truncate BEFORE TRUNCATE ON consent_head FOR EACH STATEMENT EXECUTE FUNCTION consent_head_refuses_truncate()""",
    """CREATE FUNCTION segment_needs_opt_in() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF (SELECT active_entry_id FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND (until_us IS NULL OR NEW.starts_us < until_us) FOR SHARE) IS NULL OR NEW.consent_entry_id IS DISTINCT FROM (SELECT active_entry_id FROM consent_head WHERE camera_id = NEW.camera_id AND kind = 'video-recording' AND (until_us IS NULL OR NEW.starts_us < until_us) FOR SHARE) THEN RAISE EXCEPTION 'no active opt-in' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER segment_needs_opt_in BEFORE INSERT ON segment FOR EACH ROW EXECUTE FUNCTION segment_needs_opt_in()""",
    """CREATE FUNCTION segment_never_overlaps() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT 1 FROM segment WHERE camera_id = NEW.camera_id AND ends_us > NEW.starts_us AND (NEW.ends_us IS NULL OR starts_us < NEW.ends_us)) OR EXISTS (SELECT 1 FROM segment WHERE camera_id = NEW.camera_id AND ends_us IS NULL) THEN RAISE EXCEPTION 'segment overlaps another' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER segment_never_overlaps BEFORE INSERT ON segment FOR EACH ROW EXECUTE FUNCTION segment_never_overlaps()""",
    """CREATE FUNCTION segment_keeps_its_owner() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.operator_id <> OLD.operator_id OR NEW.camera_id <> OLD.camera_id OR NEW.starts_us <> OLD.starts_us OR NEW.blob_name <> OLD.blob_name THEN RAISE EXCEPTION 'a segment keeps its owner, camera, start and name' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER segment_keeps_its_owner BEFORE UPDATE OF operator_id, camera_id, starts_us, blob_name ON segment FOR EACH ROW EXECUTE FUNCTION segment_keeps_its_owner()""",
    """CREATE FUNCTION segment_is_never_kept_longer() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.keep_us > OLD.keep_us THEN RAISE EXCEPTION 'longer retention never reaches footage taken before' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER segment_is_never_kept_longer BEFORE UPDATE OF keep_us ON segment FOR EACH ROW EXECUTE FUNCTION segment_is_never_kept_longer()""",
    """CREATE FUNCTION segment_stays_erased() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF (OLD.wrapped_key IS NULL AND NEW.wrapped_key IS NOT NULL) OR (OLD.state = 'erased' AND NEW.state <> 'erased') OR (OLD.state = 'erasing' AND NEW.state IN ('writing', 'stored')) THEN RAISE EXCEPTION 'what is destroyed stays destroyed' USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER segment_stays_erased BEFORE UPDATE ON segment FOR EACH ROW EXECUTE FUNCTION segment_stays_erased()""",
)
