"""operations are left alone while what they need is away

Revision ID: 0019
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0019"
down_revision = "0016"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_GUARD = """
    CREATE TRIGGER breakers_transition BEFORE UPDATE OF status ON breakers FOR EACH ROW
    WHEN (OLD.status <> NEW.status AND NOT (
        (OLD.status = 'closed' AND NEW.status IN ('open'))
        OR (OLD.status = 'open' AND NEW.status IN ('probing', 'closed'))
        OR (OLD.status = 'probing' AND NEW.status IN ('open', 'closed'))))
    EXECUTE FUNCTION refuse_transition()
"""


def upgrade() -> None:
    op.create_table(
        "breakers",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), server_default="closed", nullable=False),
        sa.Column("by_hand", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("changed_at", _MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("rest", sa.Float(), server_default=sa.text("15"), nullable=False),
        sa.Column("probe_at", _MOMENT, nullable=True),
        sa.Column("probe_token", sa.Uuid(), nullable=True),
        sa.Column("probe_worker", sa.Uuid(), nullable=True),
        sa.Column("probe_until", _MOMENT, nullable=True),
        sa.Column("paced_until", _MOMENT, nullable=True),
        sa.CheckConstraint(
            "status IN ('closed', 'open', 'probing')", name=op.f("ck_breakers_status")
        ),
        sa.CheckConstraint("by_hand <= (status = 'open')", name=op.f("ck_breakers_opened_by_hand")),
        sa.CheckConstraint(
            "(status = 'open' AND NOT by_hand) = (probe_at IS NOT NULL)",
            name=op.f("ck_breakers_open_tries_again"),
        ),
        sa.CheckConstraint(
            "(status = 'probing') = (probe_token IS NOT NULL)"
            " AND (status = 'probing') = (probe_worker IS NOT NULL)"
            " AND (status = 'probing') = (probe_until IS NOT NULL)",
            name=op.f("ck_breakers_probing_is_somebodys"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_breakers")),
        sa.UniqueConstraint("operation", "base", name=op.f("uq_breakers_operation_base")),
    )
    op.create_table(
        "breaker_failures",
        sa.Column("breaker_id", sa.BigInteger(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["breaker_id"],
            ["breakers.id"],
            name=op.f("fk_breaker_failures_breaker_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("breaker_id", "at", name=op.f("pk_breaker_failures")),
    )
    op.execute(_GUARD)
    op.add_column("workers", sa.Column("tries", JSONB(none_as_null=True), nullable=True))
    op.add_column("batches", sa.Column("held", sa.ARRAY(sa.BigInteger()), nullable=True))
    op.create_index(
        "ix_batches_held", "batches", ["id"], postgresql_where=sa.text("held IS NOT NULL")
    )


def downgrade() -> None:
    op.drop_index("ix_batches_held", table_name="batches")
    op.drop_column("batches", "held")
    op.drop_column("workers", "tries")
    op.drop_table("breaker_failures")
    op.drop_table("breakers")
