"""the request that a batch was submitted by, for the logs

Revision ID: 0027
Revises: 0026
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("batches", sa.Column("request_id", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("batches", "request_id")
