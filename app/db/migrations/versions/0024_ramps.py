"""batches that begin in steps: ramps

Revision ID: 0024
Revises: 0023
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_RAMPED = "ramp_end IS NULL OR ramp_end >= total OR ramp_wave IS NOT DISTINCT FROM wave"


def upgrade() -> None:
    op.add_column("batches", sa.Column("ramp", sa.JSON(), nullable=True))
    op.add_column("batches", sa.Column("ramp_end", sa.Integer(), nullable=True))
    op.add_column("batches", sa.Column("ramp_wave", sa.Integer(), nullable=True))
    op.add_column(
        "batches",
        sa.Column("ramp_held", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.create_check_constraint(op.f("ck_batches_ramped"), "batches", _RAMPED)


def downgrade() -> None:
    op.drop_constraint(op.f("ck_batches_ramped"), "batches", type_="check")
    for name in ("ramp_held", "ramp_wave", "ramp_end", "ramp"):
        op.drop_column("batches", name)
