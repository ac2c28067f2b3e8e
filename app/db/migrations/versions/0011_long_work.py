"""long work of a batch is done in steps, and how far it is stands in its row

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

COLUMNS = (
    ("doing", sa.Text()),
    ("doing_index", sa.Integer()),
    ("doing_done", sa.Integer()),
    ("doing_total", sa.Integer()),
    ("doing_statuses", sa.ARRAY(sa.Text())),
    ("doing_at", sa.DateTime(timezone=True)),
    ("doing_sends", sa.SmallInteger()),
)


def upgrade() -> None:
    for name, kind in COLUMNS:
        op.add_column("batches", sa.Column(name, kind, nullable=True))
    op.create_check_constraint(
        op.f("ck_batches_doing"),
        "batches",
        "doing IN ('cancel', 'retry', 'reset', 'delete', 'keys', 'lanes')",
    )
    op.create_index(
        "ix_batches_doing_at",
        "batches",
        ["doing_at"],
        unique=False,
        postgresql_where=sa.text("doing IS NOT NULL"),
    )
    op.create_table(
        "lane_chunks",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("first_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("indexes", sa.ARRAY(sa.Integer()), nullable=False),
        sa.Column("heads", sa.ARRAY(sa.Integer()), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["batches.id"],
            name=op.f("fk_lane_chunks_batch_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("batch_id", "first_index", "part", name=op.f("pk_lane_chunks")),
    )


def downgrade() -> None:
    op.drop_table("lane_chunks")
    op.drop_index("ix_batches_doing_at", table_name="batches")
    for name, _ in reversed(COLUMNS):
        op.drop_column("batches", name)
