"""Tables that handlers have for themselves, beside the records.

A handler with rows of its own declares them in a module `tables` beside it, in `metadata`. They are
in Batchline's database, so that they change in the transaction that also writes the outcomes.
The migrations make them; tests/test_migrations.py holds the declarations to that.
"""

from __future__ import annotations

from sqlalchemy import Connection, MetaData, Table, Text, event, text

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
# Keys sort by their bytes: quicker than a locale's order, and the same on every machine.
KeyText = Text(collation="C")

metadata = MetaData(naming_convention=NAMING)

_REFUSE_CHANGE = text(
    """
    CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% is only appended to', TG_TABLE_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END $$
    """
)


def append_only(table: Table) -> Table:
    """Let `table` be made with a trigger that keeps its rows from being changed or removed."""

    @event.listens_for(table, "after_create")
    def make_trigger(_: Table, connection: Connection, **__: object) -> None:
        connection.execute(_REFUSE_CHANGE)
        connection.execute(
            text(
                f"CREATE TRIGGER {table.name}_append_only BEFORE UPDATE OR DELETE ON {table.name} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )
        )

    return table
