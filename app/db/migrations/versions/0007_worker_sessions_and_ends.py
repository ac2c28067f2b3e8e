"""a worker's sessions are found by name, and what its process died of is noted

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("slices", "backend_pid")
    op.add_column("workers", sa.Column("main_pid", sa.Integer(), nullable=True))
    op.add_column("workers", sa.Column("ended", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("workers", "ended")
    op.drop_column("workers", "main_pid")
    op.add_column("slices", sa.Column("backend_pid", sa.Integer(), nullable=True))
