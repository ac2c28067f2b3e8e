"""Alembic's entry: the connection is handed over, and the history is kept in a table of our own."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="schema_version",
    version_table_schema="shop",
)
with context.begin_transaction():
    context.run_migrations()
