"""tries of items that are past

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    # Null in nearly every row, which takes no room in it. What the release before does is as it
    # was: it counts attempts from the last retry, and keeps no tries.
    op.add_column("items", sa.Column("tried_before", sa.Integer(), nullable=True))
    op.add_column("items", sa.Column("kept_at", _MOMENT, nullable=True))
    op.create_table(
        "item_tries",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("code", sa.Integer(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("input", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["batches.id"],
            name=op.f("fk_item_tries_batch_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("batch_id", "index", "number", name=op.f("pk_item_tries")),
    )


def downgrade() -> None:
    op.drop_table("item_tries")
    op.drop_column("items", "kept_at")
    op.drop_column("items", "tried_before")
