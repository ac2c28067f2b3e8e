"""`batchline clients`: who may use the API."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import click

from app.cli.options import as_json, print_json, print_table
from app.core.settings import load_settings

if TYPE_CHECKING:
    from app.clients.credentials import ClientSecret


@click.group()
def clients() -> None:
    """Create, list, rotate and revoke API clients.

    They are kept in DATABASE_URL, or else in the embedded database of BATCHLINE_HOME.
    """


@clients.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="SCOPE",
    help="Grant this scope only (more than once for several); every scope if left out.",
)
@as_json
def create(name: str, scopes: tuple[str, ...], json_output: bool) -> None:
    """Create a client and print its credentials: the only time its secret is shown."""
    from app.cli.connection import database
    from app.clients.credentials import create_client

    with database(load_settings()) as engine:
        made = create_client(engine, name, scopes or None)
    _print_secret(made, json_output)


@clients.command("list")
@as_json
def list_(json_output: bool) -> None:
    """List the clients, the revoked ones too."""
    from app.cli.connection import database
    from app.clients.credentials import list_clients

    with database(load_settings()) as engine:
        entries = list_clients(engine)
    if json_output:
        print_json(
            [
                {
                    "clientId": str(entry.client_id),
                    "name": entry.name,
                    "apiKey": entry.api_key,
                    "scopes": list(entry.scopes),
                    "createdAt": _time(entry.created_at),
                    "revokedAt": _time(entry.revoked_at),
                }
                for entry in entries
            ]
        )
        return
    print_table(
        ["CLIENT ID", "NAME", "API KEY", "CREATED", "STATE", "SCOPES"],
        [
            [
                str(entry.client_id),
                entry.name,
                entry.api_key,
                str(_time(entry.created_at)),
                "revoked" if entry.revoked_at else "active",
                " ".join(entry.scopes),
            ]
            for entry in entries
        ],
    )


@clients.command()
@click.argument("client_id", type=click.UUID)
@as_json
def rotate(client_id: UUID, json_output: bool) -> None:
    """Give a client a new secret and print it; the old one stops working at once."""
    from app.cli.connection import database
    from app.clients.credentials import rotate_client

    with database(load_settings()) as engine:
        made = rotate_client(engine, client_id)
    _print_secret(made, json_output)


@clients.command()
@click.argument("client_id", type=click.UUID)
def revoke(client_id: UUID) -> None:
    """Refuse a client from now on. Batches that were accepted go on."""
    from app.cli.connection import database
    from app.clients.credentials import revoke_client

    with database(load_settings()) as engine:
        revoke_client(engine, client_id)
    click.echo(f"Client {client_id} is revoked.")


def _print_secret(made: ClientSecret, json_output: bool) -> None:
    if json_output:
        print_json(
            {
                "clientId": str(made.client_id),
                "apiKey": made.api_key,
                "secret": made.secret,
                "scopes": list(made.scopes),
            }
        )
        return
    click.echo(f"client id  {made.client_id}")
    click.echo(f"api key    {made.api_key}")
    click.echo(f"secret     {made.secret}   (shown only now)")
    click.echo(f"scopes     {' '.join(made.scopes)}")


def _time(value: object) -> str | None:
    from datetime import UTC, datetime

    if not isinstance(value, datetime):
        return None
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
