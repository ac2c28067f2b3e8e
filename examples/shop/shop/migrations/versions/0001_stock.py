"""Stock by client, article and warehouse."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE shop.stock (
            client_id uuid NOT NULL,
            sku text NOT NULL COLLATE "C",
            warehouse text NOT NULL COLLATE "C",
            pieces bigint NOT NULL CHECK (pieces >= 0),
            PRIMARY KEY (client_id, sku, warehouse)
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE shop.stock")
