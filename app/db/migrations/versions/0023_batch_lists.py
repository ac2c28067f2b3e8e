"""lists of batches by how they ended, and by the dialect they came by

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The table is read through for each, and writes to it wait meanwhile: half a second for a
    # million batches.
    op.create_index(
        "ix_batches_client_id_status_id",
        "batches",
        ["client_id", "status", sa.text("id DESC")],
        postgresql_where=sa.text("status IN ('PARTIAL', 'FAILED', 'CANCELED')"),
    )
    op.create_index(
        "ix_batches_client_id_dialect_id",
        "batches",
        ["client_id", "dialect", sa.text("id DESC")],
        postgresql_where=sa.text("dialect <> 'native'"),
    )


def downgrade() -> None:
    op.drop_index("ix_batches_client_id_dialect_id", table_name="batches")
    op.drop_index("ix_batches_client_id_status_id", table_name="batches")
