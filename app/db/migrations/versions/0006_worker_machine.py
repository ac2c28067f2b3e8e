"""where a worker process runs, so that its death can be seen there

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workers", sa.Column("machine", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("workers", "machine")
