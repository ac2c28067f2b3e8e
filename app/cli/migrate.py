"""`batchline migrate`."""

from __future__ import annotations

import click

from app.core.log_lines import print_objects_if_asked
from app.core.settings import load_settings


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 if there is work.")
@click.option("--revision", default="head", show_default=True, help="Go up to this revision.")
def migrate(check: bool, revision: str) -> None:
    """Bring the schema of DATABASE_URL up to date. Safe to run twice, and side by side.

    It only goes up: an unknown revision, or one older than the schema, is an error.
    """
    print_objects_if_asked()
    from app.cli.connection import database
    from app.db.migrations import pending, upgrade

    with database(load_settings()) as engine:
        if check:
            if missing := pending(engine, revision):
                raise click.ClickException(f"the schema lacks {', '.join(missing)}")
            applied = []
        else:
            applied = upgrade(engine, revision)
        click.echo(f"Applied {', '.join(applied)}." if applied else "The schema is up to date.")
