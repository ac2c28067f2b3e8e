"""Keys: the credentials of clients."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, ForeignKey, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.models.base import Base


class Key(Base):
    """A credential of a client, and what may be done with it.

    `networks`, `operations`: where it may come from and what it may submit; empty: anything.
    `first`: whether it is the one that was made with its client, which `clients rotate` is about.
    """

    __tablename__ = "keys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    name: Mapped[str | None]
    api_key: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    networks: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    operations: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    first: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_keys_client_id_id", "client_id", "id"),
        Index("uq_keys_first", "client_id", unique=True, postgresql_where=text("first")),
    )


class KeySecret(Base):
    """A secret of a key, kept only as a hash. `until`: when one that was rotated stops working."""

    __tablename__ = "key_secrets"

    secret_hash: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[UUID] = mapped_column(ForeignKey("keys.id", ondelete="CASCADE"), index=True)
    until: Mapped[datetime | None]


# The release before knows a client's first key only, by the columns of `clients`. Whoever writes
# these, of whichever release, has the key follow: a secret put there is the key's only one. Once no
# release reads them any more, both can go, and `create_client` makes the key itself.
FIRST_KEY_FUNCTION = """
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

FIRST_KEY_TRIGGER = (
    "CREATE TRIGGER clients_first_key AFTER INSERT OR UPDATE OF secret_hash ON clients "
    "FOR EACH ROW EXECUTE FUNCTION follow_first_key()"
)
