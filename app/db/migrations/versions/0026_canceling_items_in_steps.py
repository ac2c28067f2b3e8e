"""some items of a batch are canceled in steps

Revision ID: 0026
Revises: 0024
"""

from alembic import op

revision = "0026"
down_revision = "0024"
branch_labels = None
depends_on = None

_BEFORE = "'cancel', 'retry', 'reset', 'delete'"


def upgrade() -> None:
    _check(f"{_BEFORE}, 'cancel_items', 'keys', 'lanes'")


def downgrade() -> None:
    op.execute("UPDATE batches SET doing = NULL WHERE doing = 'cancel_items'")
    _check(f"{_BEFORE}, 'keys', 'lanes'")


def _check(words: str) -> None:
    op.drop_constraint(op.f("ck_batches_doing"), "batches", type_="check")
    op.create_check_constraint(op.f("ck_batches_doing"), "batches", f"doing IN ({words})")
