"""limits of operations over all workers, and what a retry forgives

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "operation_gates",
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column(
            "free_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("operation", name=op.f("pk_operation_gates")),
    )
    op.add_column(
        "batches",
        sa.Column("forgiven", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )
    op.add_column("slices", sa.Column("limited", sa.ARRAY(sa.Text()), nullable=True))
    op.add_column("slices", sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))
    op.add_column("slices", sa.Column("parked_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("slices", "parked_at")
    op.drop_column("slices", "not_before")
    op.drop_column("slices", "limited")
    op.drop_column("batches", "forgiven")
    op.drop_table("operation_gates")
