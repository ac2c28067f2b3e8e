"""runs guard themselves: a share of failures, and an approval

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

COLUMNS = (
    ("max_failure_percent", sa.Numeric()),
    ("min_processed", sa.Integer()),
    ("approval", sa.Text()),
    ("contributors", sa.ARRAY(sa.Uuid())),
)
COUNTS = ("forgiven_share", "forgiven_processed")
_ENDED = "'SUCCESS', 'PARTIAL', 'FAILED', 'CANCELED'"
_APPROVED = f"""CASE approval
    WHEN 'needed' THEN status IN ('OPEN', 'AWAITING', {_ENDED})
    WHEN 'checking' THEN status IN ('PENDING', 'RUNNING', 'PAUSED') AND phase = 'validate'
        OR status IN ({_ENDED}) AND stop_reason IS NOT NULL
    WHEN 'given' THEN status NOT IN ('OPEN', 'AWAITING')
    ELSE status <> 'AWAITING'
    END"""
_STATUSES = f"'OPEN', 'SCHEDULED', 'AWAITING', 'PENDING', 'RUNNING', 'PAUSED', {_ENDED}"
_STATUSES_BEFORE = f"'OPEN', 'SCHEDULED', 'PENDING', 'RUNNING', 'PAUSED', {_ENDED}"
_GUARD = f"""
    CREATE OR REPLACE TRIGGER batches_transition BEFORE UPDATE OF status ON batches FOR EACH ROW
    WHEN (OLD.status <> NEW.status AND NOT (
        (OLD.status = 'OPEN' AND NEW.status IN ('SCHEDULED', 'PENDING', 'CANCELED'))
        OR (OLD.status = 'SCHEDULED' AND NEW.status IN ('OPEN', 'PENDING', 'CANCELED'))
        {{awaiting}}
        OR (OLD.status = 'PENDING' AND NEW.status IN ('RUNNING', 'PAUSED', {_ENDED}))
        OR (OLD.status = 'RUNNING' AND NEW.status IN ({{to_awaiting}}'PAUSED', {_ENDED}))
        OR (OLD.status = 'PAUSED' AND NEW.status IN ('RUNNING', 'PENDING', {_ENDED}))
        OR (OLD.status = 'SUCCESS' AND NEW.status IN ('PENDING', 'OPEN'))
        OR (OLD.status = 'PARTIAL' AND NEW.status IN ('PENDING', 'OPEN'))
        OR (OLD.status = 'FAILED' AND NEW.status IN ('PENDING', 'OPEN'))
        OR (OLD.status = 'CANCELED' AND NEW.status IN ('PENDING', 'OPEN'))))
    EXECUTE FUNCTION refuse_transition()
"""


def upgrade() -> None:
    for name, kind in COLUMNS:
        op.add_column("batches", sa.Column(name, kind, nullable=True))
    for name in COUNTS:
        op.add_column(
            "batches", sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False)
        )
    op.drop_constraint(op.f("ck_batches_status"), "batches", type_="check")
    op.create_check_constraint(op.f("ck_batches_status"), "batches", f"status IN ({_STATUSES})")
    op.create_check_constraint(
        op.f("ck_batches_approval"), "batches", "approval IN ('needed', 'checking', 'given')"
    )
    op.create_check_constraint(op.f("ck_batches_approved"), "batches", _APPROVED)
    op.execute(
        _GUARD.format(
            awaiting="OR (OLD.status = 'AWAITING' AND NEW.status IN "
            f"('SCHEDULED', 'PENDING', {_ENDED}))",
            to_awaiting="'AWAITING', ",
        )
    )


def downgrade() -> None:
    op.execute(_GUARD.format(awaiting="", to_awaiting=""))
    op.drop_constraint(op.f("ck_batches_approved"), "batches", type_="check")
    op.drop_constraint(op.f("ck_batches_status"), "batches", type_="check")
    op.create_check_constraint(
        op.f("ck_batches_status"), "batches", f"status IN ({_STATUSES_BEFORE})"
    )
    for name in (*COUNTS, *(name for name, _ in COLUMNS)):
        op.drop_column("batches", name)
