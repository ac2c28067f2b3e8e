"""Fluent's jobs, and the numbers of its batches

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import CreateSequence, DropSequence, Sequence

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BATCH_IDS = Sequence("fluent_batch_ids")


def upgrade() -> None:
    op.execute(CreateSequence(BATCH_IDS))
    op.create_table(
        "fluent_jobs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["clients.id"],
            name=op.f("fk_fluent_jobs_client_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fluent_jobs")),
    )
    op.create_table(
        "fluent_batches",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["batches.id"],
            name=op.f("fk_fluent_batches_batch_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["fluent_jobs.id"],
            name=op.f("fk_fluent_batches_job_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_fluent_batches")),
    )


def downgrade() -> None:
    op.drop_table("fluent_batches")
    op.drop_table("fluent_jobs")
    op.execute(DropSequence(BATCH_IDS))
