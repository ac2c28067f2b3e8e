"""the loyalty ledger, and the categories' numbers

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import CreateSequence, DropSequence, Sequence

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

CATEGORY_IDS = Sequence("category_ids")
REFUSE_CHANGE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is only appended to', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
END $$
"""
APPEND_ONLY = (
    "CREATE TRIGGER ledger_entries_append_only BEFORE UPDATE OR DELETE ON ledger_entries "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
)


def upgrade() -> None:
    op.execute(CreateSequence(CATEGORY_IDS))
    op.create_table(
        "wallets",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("player", sa.Text(collation="C"), nullable=False),
        sa.Column("balance", sa.Numeric(26, 4), server_default=sa.text("0"), nullable=False),
        sa.Column("entries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("balance >= 0", name=op.f("ck_wallets_balance")),
        sa.PrimaryKeyConstraint("client_id", "player", name=op.f("pk_wallets")),
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "ledger_entries",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("transaction_id", sa.Text(collation="C"), nullable=False),
        sa.Column("player", sa.Text(collation="C"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("change", sa.Numeric(19, 4), nullable=False),
        sa.Column("balance", sa.Numeric(26, 4), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "operation IN ('cashback', 'redeem')", name=op.f("ck_ledger_entries_operation")
        ),
        sa.CheckConstraint(
            "(operation = 'cashback') = (change > 0) AND change <> 0",
            name=op.f("ck_ledger_entries_change"),
        ),
        sa.CheckConstraint("balance >= 0", name=op.f("ck_ledger_entries_balance")),
        sa.CheckConstraint(
            "number > 1 OR (number = 1 AND balance = change)", name=op.f("ck_ledger_entries_first")
        ),
        sa.ForeignKeyConstraint(
            ["client_id", "player"],
            ["wallets.client_id", "wallets.player"],
            name=op.f("fk_ledger_entries_client_id_player"),
        ),
        sa.PrimaryKeyConstraint("client_id", "transaction_id", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint(
            "client_id", "player", "number", name=op.f("uq_ledger_entries_client_id_player_number")
        ),
    )
    op.execute(REFUSE_CHANGE)
    op.execute(APPEND_ONLY)


def downgrade() -> None:
    op.drop_table("ledger_entries")
    op.execute("DROP FUNCTION refuse_change()")
    op.drop_table("wallets")
    op.execute(DropSequence(CATEGORY_IDS))
