"""Alembic's entry: runs the migrations on the connection that app.db.migrations hands over."""

from alembic import context

# Without the models: migrations are written by hand, and a test compares what they make.
context.configure(
    connection=context.config.attributes["connection"],
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
