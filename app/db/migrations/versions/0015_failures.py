"""what went wrong is grouped by its cause

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_KEY = sa.Text(collation="C")


def upgrade() -> None:
    op.create_table(
        "failures",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("failure", _KEY, nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.CheckConstraint("number >= 0 AND number < 1000", name=op.f("ck_failures_number")),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["batches.id"],
            name=op.f("fk_failures_batch_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("batch_id", "failure", name=op.f("pk_failures")),
        sa.UniqueConstraint("batch_id", "number", name=op.f("uq_failures_batch_id_number")),
    )
    op.create_table(
        "failure_counts",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("failure", _KEY, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("spread", sa.SmallInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", _MOMENT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("last_at", _MOMENT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["batches.id"],
            name=op.f("fk_failure_counts_batch_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "batch_id", "failure", "status", "spread", name=op.f("pk_failure_counts")
        ),
    )
    op.add_column("batches", sa.Column("doing_where", JSONB(), nullable=True))
    op.add_column("items", sa.Column("failure", _KEY, nullable=True))
    # Nothing is in it at first, but the table is read through once, and writes to it wait meanwhile:
    # about a second for a million items. (All migrations are one transaction, which CONCURRENTLY
    # cannot be in.)
    op.create_index(
        "ix_items_failure",
        "items",
        ["batch_id", "failure", "index"],
        postgresql_where=sa.text("failure IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_items_failure", table_name="items")
    op.drop_column("items", "failure")
    op.drop_column("batches", "doing_where")
    op.drop_table("failure_counts")
    op.drop_table("failures")
