"""claims on webhook deliveries are counted by an index of their own, not in the backlog

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_webhook_deliveries_claim",
        "webhook_deliveries",
        ["webhook_id"],
        postgresql_where=sa.text("claim IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_webhook_deliveries_claim", table_name="webhook_deliveries")
