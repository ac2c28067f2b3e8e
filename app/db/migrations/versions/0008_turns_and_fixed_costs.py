"""batches wait in line for their turn, and costs have a fixed part

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_SUMS = ("weight", "items", "seconds", "items_squared", "items_seconds")


def upgrade() -> None:
    op.add_column("batches", sa.Column("progress_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("batches", sa.Column("turn_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("batches", sa.Column("queue", sa.Text(), server_default="fast", nullable=False))
    op.create_index(
        "ix_batches_turn",
        "batches",
        ["queue", "client_id", "turn_at"],
        postgresql_where=sa.text("turn_at IS NOT NULL"),
    )
    for name in _SUMS:
        op.add_column(
            "operation_costs",
            sa.Column(name, sa.Double(), server_default=sa.text("0"), nullable=False),
        )


def downgrade() -> None:
    for name in reversed(_SUMS):
        op.drop_column("operation_costs", name)
    op.drop_index("ix_batches_turn", table_name="batches")
    op.drop_column("batches", "queue")
    op.drop_column("batches", "turn_at")
    op.drop_column("batches", "progress_at")
