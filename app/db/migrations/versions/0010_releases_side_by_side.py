"""which operations there are and who has them, and which workers take nothing

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_MOMENT = TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "operations",
        sa.Column("name", sa.Text()),
        sa.Column("description", JSONB()),
        sa.Column("first_seen", _MOMENT, server_default=sa.func.now(), nullable=False),
        sa.Column("last_served_at", _MOMENT),
        sa.Column("missing_since", _MOMENT),
        sa.Column("missing_seen_at", _MOMENT),
        sa.PrimaryKeyConstraint("name", name="pk_operations"),
    )
    # What ran before this table was there was registered somewhere.
    op.execute(
        """
        INSERT INTO operations (name, last_served_at)
        SELECT operation, now() FROM operation_costs
        UNION
        SELECT operation, now() FROM batches WHERE finished_at IS NULL AND operation IS NOT NULL
        """
    )
    # Without a default: null says that the process is of a release that does not tell.
    op.add_column("workers", sa.Column("operations", ARRAY(sa.Text())))
    op.add_column("workers", sa.Column("queues", ARRAY(sa.Text())))
    op.add_column("workers", sa.Column("busy", sa.Integer()))
    op.add_column("workers", sa.Column("took_at", _MOMENT))
    op.add_column("workers", sa.Column("starving_since", _MOMENT))
    op.add_column(
        "slices",
        sa.Column("passes", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
    )


def downgrade() -> None:
    op.drop_column("slices", "passes")
    for column in ("starving_since", "took_at", "busy", "queues", "operations"):
        op.drop_column("workers", column)
    op.drop_table("operations")
