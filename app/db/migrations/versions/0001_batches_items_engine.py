"""clients, batches, items and the engine's tables

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


REFUSE = """
CREATE FUNCTION refuse_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% may not go from % to %', TG_TABLE_NAME, OLD.status, NEW.status
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
END $$
"""
GUARDS = (
    """
    CREATE TRIGGER batches_transition BEFORE UPDATE OF status ON batches FOR EACH ROW WHEN
    (OLD.status <> NEW.status AND NOT ((OLD.status = 'OPEN' AND NEW.status IN ('SCHEDULED',
    'PENDING', 'CANCELED')) OR (OLD.status = 'SCHEDULED' AND NEW.status IN ('OPEN', 'PENDING',
    'CANCELED')) OR (OLD.status = 'PENDING' AND NEW.status IN ('RUNNING', 'PAUSED', 'SUCCESS',
    'PARTIAL', 'FAILED', 'CANCELED')) OR (OLD.status = 'RUNNING' AND NEW.status IN ('PAUSED',
    'SUCCESS', 'PARTIAL', 'FAILED', 'CANCELED')) OR (OLD.status = 'PAUSED' AND NEW.status IN
    ('RUNNING', 'PENDING', 'SUCCESS', 'PARTIAL', 'FAILED', 'CANCELED')) OR (OLD.status =
    'SUCCESS' AND NEW.status IN ('PENDING', 'OPEN')) OR (OLD.status = 'PARTIAL' AND NEW.status
    IN ('PENDING', 'OPEN')) OR (OLD.status = 'FAILED' AND NEW.status IN ('PENDING', 'OPEN')) OR
    (OLD.status = 'CANCELED' AND NEW.status IN ('PENDING', 'OPEN')))) EXECUTE FUNCTION
    refuse_transition()
    """,
    """
    CREATE TRIGGER items_transition BEFORE UPDATE OF status ON items FOR EACH ROW WHEN
    (OLD.status <> NEW.status AND NOT ((OLD.status = 'PENDING' AND NEW.status IN ('SUCCESS',
    'INVALID', 'FAILED', 'CANCELED')) OR (OLD.status = 'INVALID' AND NEW.status IN ('PENDING'))
    OR (OLD.status = 'FAILED' AND NEW.status IN ('PENDING')) OR (OLD.status = 'CANCELED' AND
    NEW.status IN ('PENDING')))) EXECUTE FUNCTION refuse_transition()
    """,
)


def upgrade() -> None:
    op.create_table(
        "clients",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("api_key", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clients")),
        sa.UniqueConstraint("api_key", name=op.f("uq_clients_api_key")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_clients_secret_hash")),
    )
    op.create_table(
        "operation_costs",
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("seconds_per_item", sa.Double(), nullable=False),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("operation", name=op.f("pk_operation_costs")),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hostname", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "heartbeat_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_index("ix_workers_heartbeat_at", "workers", ["heartbeat_at"], unique=False)
    op.create_table(
        "batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("operation", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("dialect", sa.Text(), server_default="native", nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("metadata", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("on_invalid", sa.Text(), server_default="partial", nullable=False),
        sa.Column("max_failures", sa.Integer(), nullable=True),
        sa.Column("dry_run", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("scheduled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("total", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("completed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("invalid", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("canceled", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("phase", sa.Text(), server_default="run", nullable=False),
        sa.Column("stopping", sa.Text(), nullable=True),
        sa.Column("stop_reason", sa.Text(), nullable=True),
        sa.Column("wave", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_index", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("stalled", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("mixed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("may_repeat", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "(status IN ('SUCCESS', 'PARTIAL', 'FAILED', 'CANCELED')) = (finished_at IS NOT NULL)",
            name=op.f("ck_batches_ended_has_finish"),
        ),
        sa.CheckConstraint(
            "on_invalid IN ('partial', 'reject')", name=op.f("ck_batches_on_invalid")
        ),
        sa.CheckConstraint("phase IN ('validate', 'run', 'dry')", name=op.f("ck_batches_phase")),
        sa.CheckConstraint(
            "status <> 'SCHEDULED' OR scheduled_at IS NOT NULL", name=op.f("ck_batches_schedule")
        ),
        sa.CheckConstraint(
            "status IN ('OPEN', 'SCHEDULED', 'PENDING', 'RUNNING', 'PAUSED', 'SUCCESS', 'PARTIAL', 'FAILED', 'CANCELED')",
            name=op.f("ck_batches_status"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('SUCCESS', 'PARTIAL', 'FAILED', 'CANCELED') OR completed + failed + invalid + canceled = total",
            name=op.f("ck_batches_ended_is_counted"),
        ),
        sa.CheckConstraint(
            "completed >= 0 AND failed >= 0 AND invalid >= 0 AND canceled >= 0",
            name=op.f("ck_batches_counts"),
        ),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_batches_client_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        sa.UniqueConstraint(
            "client_id", "dialect", "reference", name=op.f("uq_batches_client_id_dialect_reference")
        ),
    )
    op.create_index(
        "ix_batches_client_id_id",
        "batches",
        ["client_id", sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_batches_finished_at",
        "batches",
        ["finished_at"],
        unique=False,
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )
    op.create_index(
        "ix_batches_unfinished",
        "batches",
        ["status", "due_at"],
        unique=False,
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=True),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("headers", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("claim", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["clients.id"],
            name=op.f("fk_idempotency_keys_client_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("client_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(
        "ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"], unique=False
    )
    op.create_table(
        "records",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("collection", sa.Text(collation="C"), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("client_id", "collection", "key", name=op.f("pk_records")),
    )
    op.create_table(
        "items",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=True),
        sa.Column("operation", sa.Text(), nullable=True),
        sa.Column("input", sa.JSON(), nullable=False),
        sa.Column("status", sa.Text(), server_default="PENDING", nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("crashes", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("deferred", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("lane", sa.Integer(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'PENDING') = (finished_at IS NULL)", name=op.f("ck_items_ended_has_finish")
        ),
        sa.CheckConstraint(
            "status IN ('PENDING', 'SUCCESS', 'INVALID', 'FAILED', 'CANCELED')",
            name=op.f("ck_items_status"),
        ),
        sa.CheckConstraint("index >= 0", name=op.f("ck_items_index")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_items_batch_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("batch_id", "index", name=op.f("pk_items")),
        postgresql_with={"fillfactor": 45},
    )
    op.create_index(
        "ix_items_due",
        "items",
        ["batch_id", "due_at", "index"],
        unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_items_lane",
        "items",
        ["batch_id", "lane", "index"],
        unique=False,
        postgresql_where=sa.text("lane IS NOT NULL AND due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_items_problem",
        "items",
        ["batch_id", "index"],
        unique=False,
        postgresql_where=sa.text("code IS NOT NULL"),
    )
    op.create_table(
        "slices",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("wave", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("operation", sa.Text(), nullable=True),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("first_index", sa.Integer(), nullable=False),
        sa.Column("last_index", sa.Integer(), nullable=False),
        sa.Column("picks", sa.ARRAY(sa.Integer()), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), server_default="READY", nullable=False),
        sa.Column(
            "sent_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("sends", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("claim", sa.Uuid(), nullable=True),
        sa.Column("worker_id", sa.Uuid(), nullable=True),
        sa.Column("backend_pid", sa.Integer(), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seconds", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("completed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("invalid", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint(
            "(state = 'CLAIMED') <= (claim IS NOT NULL)", name=op.f("ck_slices_claimed_has_claim")
        ),
        sa.CheckConstraint("state IN ('READY', 'CLAIMED', 'DONE')", name=op.f("ck_slices_state")),
        sa.CheckConstraint("first_index <= last_index", name=op.f("ck_slices_range")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_slices_batch_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("batch_id", "wave", "number", name=op.f("pk_slices")),
        postgresql_with={"fillfactor": 50},
    )
    op.create_index("ix_slices_state", "slices", ["state", "sent_at"], unique=False)
    op.execute(REFUSE)
    for guard in GUARDS:
        op.execute(guard)


def downgrade() -> None:
    op.drop_index("ix_slices_state", table_name="slices")
    op.drop_table("slices")
    op.drop_index(
        "ix_items_problem", table_name="items", postgresql_where=sa.text("code IS NOT NULL")
    )
    op.drop_index(
        "ix_items_lane",
        table_name="items",
        postgresql_where=sa.text("lane IS NOT NULL AND due_at IS NOT NULL"),
    )
    op.drop_index(
        "ix_items_due", table_name="items", postgresql_where=sa.text("due_at IS NOT NULL")
    )
    op.drop_table("items")
    op.drop_table("records")
    op.drop_index("ix_idempotency_keys_created_at", table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_index(
        "ix_batches_unfinished",
        table_name="batches",
        postgresql_where=sa.text("finished_at IS NULL"),
    )
    op.drop_index(
        "ix_batches_finished_at",
        table_name="batches",
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )
    op.drop_index("ix_batches_client_id_id", table_name="batches")
    op.drop_table("batches")
    op.drop_index("ix_workers_heartbeat_at", table_name="workers")
    op.drop_table("workers")
    op.drop_table("operation_costs")
    op.drop_table("clients")
    op.execute("DROP FUNCTION refuse_transition()")
