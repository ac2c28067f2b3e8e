"""clients have keys, and names of their own

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_TEXTS = sa.ARRAY(sa.Text())

# The release before makes clients, and gives them secrets, by the columns of `clients`.
_FOLLOW = """
CREATE FUNCTION follow_first_key() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found uuid;
BEGIN
    INSERT INTO keys (id, client_id, api_key, scopes, first)
    VALUES (gen_random_uuid(), NEW.id, NEW.api_key, NEW.scopes, true)
    ON CONFLICT (client_id) WHERE first DO NOTHING;
    SELECT id INTO found FROM keys WHERE client_id = NEW.id AND first;
    DELETE FROM key_secrets WHERE key_id = found;
    INSERT INTO key_secrets (secret_hash, key_id) VALUES (NEW.secret_hash, found);
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("api_key", sa.Text(), nullable=False),
        sa.Column("scopes", _TEXTS, nullable=False),
        sa.Column("networks", _TEXTS, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("operations", _TEXTS, server_default=sa.text("'{}'"), nullable=False),
        sa.Column("first", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", _MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=True),
        sa.Column("revoked_at", _MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["clients.id"], name=op.f("fk_keys_client_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
        sa.UniqueConstraint("api_key", name=op.f("uq_keys_api_key")),
    )
    op.create_index("ix_keys_client_id_id", "keys", ["client_id", "id"])
    op.create_index(
        "uq_keys_first", "keys", ["client_id"], unique=True, postgresql_where=sa.text("first")
    )
    op.create_table(
        "key_secrets",
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("until", _MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["key_id"], ["keys.id"], name=op.f("fk_key_secrets_key_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("secret_hash", name=op.f("pk_key_secrets")),
    )
    op.create_index("ix_key_secrets_key_id", "key_secrets", ["key_id"])
    # Nobody is made or rotated between what is copied and what follows from then on.
    op.execute("LOCK TABLE clients IN SHARE ROW EXCLUSIVE MODE")
    op.execute(
        """
        WITH made AS (
            INSERT INTO keys (id, client_id, api_key, scopes, first, created_at)
            SELECT gen_random_uuid(), id, api_key, scopes, true, created_at FROM clients
            RETURNING id, client_id
        )
        INSERT INTO key_secrets (secret_hash, key_id)
        SELECT c.secret_hash, made.id FROM made JOIN clients c ON c.id = made.client_id
        """
    )
    op.execute(_FOLLOW)
    op.execute(
        "CREATE TRIGGER clients_first_key AFTER INSERT OR UPDATE OF secret_hash ON clients "
        "FOR EACH ROW EXECUTE FUNCTION follow_first_key()"
    )
    # Of several clients with a name the oldest keeps it; nothing but people goes by it so far.
    op.execute(
        """
        UPDATE clients c SET name = c.name || ' (' || c.id || ')'
        WHERE c.revoked_at IS NULL AND EXISTS (
            SELECT FROM clients o
            WHERE o.name = c.name AND o.revoked_at IS NULL
              AND (o.created_at, o.id) < (c.created_at, c.id))
        """
    )
    op.create_index(
        "uq_clients_name",
        "clients",
        ["name"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("uq_clients_name", table_name="clients")
    op.execute("DROP TRIGGER clients_first_key ON clients")
    op.execute("DROP FUNCTION follow_first_key()")
    op.drop_table("key_secrets")
    op.drop_table("keys")
