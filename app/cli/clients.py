"""`batchline clients`: who may use the API."""

from __future__ import annotations

from datetime import timedelta

import click

from app.cli.credentials import moment_of, print_secret
from app.cli.options import DURATION, as_json, print_json, print_table
from app.core.errors import Invalid
from app.core.settings import load_settings


@click.group()
def clients() -> None:
    """Create, list, rotate and revoke API clients.

    They are kept in DATABASE_URL, or else in the embedded database of BATCHLINE_HOME. CLIENT is a
    client's name or its id.
    """


@clients.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="SCOPE",
    help="Grant this scope only (more than once for several); all but admin if left out.",
)
@as_json
def create(name: str, scopes: tuple[str, ...], json_output: bool) -> None:
    """Create a client with its first key and print it: the only time its secret is shown."""
    from app.cli.connection import database
    from app.clients.credentials import create_client

    with database(load_settings()) as engine:
        try:
            made = create_client(engine, name, scopes or None)
        except Invalid as error:
            of_scopes = error.errors[0].pointer == "/scopes"
            raise click.ClickException(f"{error} ({'--scope' if of_scopes else 'NAME'})") from error
    print_secret(made, json_output)


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
                    "createdAt": moment_of(entry.created_at),
                    "revokedAt": moment_of(entry.revoked_at),
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
                str(moment_of(entry.created_at)),
                "revoked" if entry.revoked_at else "active",
                " ".join(entry.scopes),
            ]
            for entry in entries
        ],
    )


@clients.command()
@click.argument("client")
@click.option(
    "--overlap",
    type=DURATION,
    default="0s",
    metavar="24h",
    help="How long the old secret goes on beside it (s, m, h, d); not at all if left out.",
)
@as_json
def rotate(client: str, overlap: timedelta, json_output: bool) -> None:
    """Give CLIENT's first key a new secret and print it; the old one stops working.

    The first key is the one that `clients create` made.
    """
    from app.cli.connection import database
    from app.clients.credentials import rotate_client
    from app.clients.keys import find_client

    with database(load_settings()) as engine:
        made = rotate_client(engine, find_client(engine, client), overlap=overlap)
    print_secret(made, json_output)


@clients.command()
@click.argument("client")
def revoke(client: str) -> None:
    """Refuse CLIENT by all of its keys from now on. Batches that were accepted go on."""
    from app.cli.connection import database
    from app.clients.credentials import revoke_client
    from app.clients.keys import find_client

    with database(load_settings()) as engine:
        client_id = find_client(engine, client)
        revoke_client(engine, client_id)
    click.echo(f"Client {client_id} is revoked.")


@clients.command()
@click.argument("client")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set a quota (more than once for several): a number, none for unlimited, or default.",
)
@as_json
def quota(client: str, settings: tuple[str, ...], json_output: bool) -> None:
    """Show CLIENT's quotas, or set some of them.

    \b
    requestsPerSecond  requests a second, and twice as many at once
    submissionsAtOnce  submissions that are under way
    openBatches        batches that have not ended
    pendingItems       items that are to be processed
    storedItems        items, whatever became of them
    streamsAtOnce      waits and event streams
    webhooks           webhooks
    """  # noqa: D301 (click's mark for a paragraph that is not wrapped)
    from app.cli.connection import database
    from app.clients.keys import find_client
    from app.clients.quotas import UNLIMITED, default_quotas, get_quotas, set_quotas

    own = load_settings()
    defaults = default_quotas(own)
    changes = dict(_assigned(one) for one in settings)
    with database(own) as engine:
        client_id = find_client(engine, client)
        if changes:
            found = set_quotas(engine, client_id, changes, defaults)
        else:
            found = get_quotas(engine, client_id, defaults)
    if json_output:
        print_json(dict(found))
        return
    print_table(
        ["QUOTA", "VALUE", ""],
        [
            [
                name,
                UNLIMITED if value is None else str(value),
                "" if name in found.own else "(default)",
            ]
            for name, value in found.items()
        ],
    )


def _assigned(text: str) -> tuple[str, int | str]:
    """What `NAME=VALUE` says; whether that can be is for those who set it."""
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--set")
    number = value.isascii() and value.isdigit() and len(value) < 20
    return name, int(value) if number else value
