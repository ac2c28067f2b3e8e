"""`batchline migrate`."""

from __future__ import annotations

import os
from collections.abc import Mapping

import click

from app.core.errors import SettingsError
from app.core.log_lines import print_objects_if_asked
from app.core.secret_files import with_files
from app.core.settings import load_settings

_VARIABLE = "ROLE_PASSWORD"


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 if there is work.")
@click.option("--revision", default="head", show_default=True, help="Go up to this revision.")
@click.option(
    "--role",
    envvar="DATABASE_ROLE",
    help="Then let this role, and make it if there is none, read and write the rows and no more.",
)
@click.option("--role-password", envvar=_VARIABLE, hidden=True)
def migrate(check: bool, revision: str, role: str | None, role_password: str | None) -> None:
    """Bring the schema of DATABASE_URL up to date. Safe to run twice, and side by side.

    It only goes up: an unknown revision, or one older than the schema, is an error. With --role (or
    DATABASE_ROLE) DATABASE_URL is that of the schema's owner, and the processes get one of the
    role's own; the password of one that is to be made comes from ROLE_PASSWORD, or from the file
    that ROLE_PASSWORD_FILE names.
    """
    print_objects_if_asked()
    role_password = _password(os.environ if role_password is None else {_VARIABLE: role_password})
    from app.cli.connection import database
    from app.db.migrations import pending, upgrade
    from app.db.roles import grant

    with database(load_settings()) as engine:
        if check:
            if missing := pending(engine, revision):
                raise click.ClickException(f"the schema lacks {', '.join(missing)}")
            applied = []
        else:
            applied = upgrade(engine, revision)
        click.echo(f"Applied {', '.join(applied)}." if applied else "The schema is up to date.")
        if role and not check:
            made = grant(engine, role, role_password)
            click.echo(f"Made the role {role}." if made else f"The role {role} has what it needs.")


def _password(environ: Mapping[str, str]) -> str | None:
    """The role's password, as it is given or in a file. Raises SettingsError where it cannot be."""
    given, problems = with_files(environ, [_VARIABLE])
    if problems:
        raise SettingsError("\n".join(f"{name}: {said}" for name, said in problems.items()))
    return given.get(_VARIABLE)
