"""jobs of Fluent's dialect that nobody uses any more go

Revision ID: 0028
Revises: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "fluent_jobs",
        # Of jobs that there are it is the moment of this migration: they are kept from now on.
        sa.Column(
            "used_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
    )
    op.create_index("ix_fluent_jobs_client_id_used_at", "fluent_jobs", ["client_id", "used_at"])
    op.create_index(op.f("ix_fluent_batches_job_id"), "fluent_batches", ["job_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_fluent_batches_job_id"), table_name="fluent_batches")
    op.drop_index("ix_fluent_jobs_client_id_used_at", table_name="fluent_jobs")
    op.drop_column("fluent_jobs", "used_at")
