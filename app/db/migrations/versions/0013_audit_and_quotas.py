"""what was done is written down, and clients have quotas

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("key_name", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("batch_id", sa.Uuid(), nullable=True),
        sa.Column("detail", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_client_id_id", "audit", ["client_id", "id"])
    op.create_index(
        "ix_audit_batch_id_id",
        "audit",
        ["batch_id", "id"],
        postgresql_where=sa.text("batch_id IS NOT NULL"),
    )
    op.add_column(
        "clients", sa.Column("quotas", JSONB(), server_default=sa.text("'{}'"), nullable=False)
    )
    op.add_column("clients", sa.Column("stored_items", sa.BigInteger(), nullable=True))
    op.add_column("clients", sa.Column("stored_at", _MOMENT, nullable=True))
    op.create_index(
        "ix_batches_client_id_open",
        "batches",
        ["client_id"],
        postgresql_where=sa.text("finished_at IS NULL OR doing IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_batches_client_id_open", table_name="batches")
    op.drop_column("clients", "stored_at")
    op.drop_column("clients", "stored_items")
    op.drop_column("clients", "quotas")
    op.drop_table("audit")
