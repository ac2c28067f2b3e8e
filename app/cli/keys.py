"""`batchline keys`: credentials of a client, each of which may do less than the client."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import click

from app.cli.credentials import moment_of, print_secret
from app.cli.options import DURATION, as_json, print_json, print_table
from app.core.errors import Invalid
from app.core.settings import load_settings

if TYPE_CHECKING:
    from datetime import timedelta

    from app.clients.keys import KeyEntry

# What a wrong value is called in the request, and here.
_OPTIONS = {
    "scopes": "--scope",
    "networks": "--network",
    "operations": "--operation",
    "expires": "--expires",
    "name": "--name",
}


@click.group()
def keys() -> None:
    """Create, list and revoke keys of a client.

    All keys of a client see the same batches. CLIENT is its name or its id.
    """


@keys.command()
@click.argument("client")
@click.option("--name", metavar="NAME", help="What it is called, for people.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="SCOPE",
    help="Grant this scope only (more than once for several); all but admin if left out.",
)
@click.option("--expires", type=DURATION, metavar="90d", help="How long it is good (s, m, h, d).")
@click.option(
    "--network",
    "networks",
    multiple=True,
    metavar="CIDR",
    help="Take it only from this network (more than once for several); from anywhere if left out.",
)
@click.option(
    "--operation",
    "operations",
    multiple=True,
    metavar="PATTERN",
    help="Let it submit only this operation, in which * stands for any text ('catalog.*'; more "
    "than once for several); any if left out.",
)
@as_json
def create(
    client: str,
    name: str | None,
    scopes: tuple[str, ...],
    expires: timedelta | None,
    networks: tuple[str, ...],
    operations: tuple[str, ...],
    json_output: bool,
) -> None:
    """Create a key of CLIENT and print it: the only time its secret is shown."""
    from app.cli.connection import database
    from app.clients.keys import create_key, find_client

    with database(load_settings()) as engine:
        try:
            made = create_key(
                engine,
                find_client(engine, client),
                name=name,
                scopes=scopes or None,
                expires=expires,
                networks=networks,
                operations=operations,
            )
        except Invalid as error:
            field = error.errors[0].pointer.split("/")[1] if error.errors else ""
            raise click.BadParameter(str(error), param_hint=f"'{_OPTIONS[field]}'") from error
    print_secret(made, json_output)


@keys.command("list")
@click.argument("client")
@as_json
def list_(client: str, json_output: bool) -> None:
    """List the keys of CLIENT, the one made with it first, those that ended too."""
    from app.cli.connection import database
    from app.clients.keys import find_client, list_keys

    with database(load_settings()) as engine:
        entries = list_keys(engine, find_client(engine, client))
    if json_output:
        print_json(
            [
                {
                    "keyId": str(entry.key_id),
                    "name": entry.name,
                    "apiKey": entry.api_key,
                    "scopes": list(entry.scopes),
                    "networks": list(entry.networks),
                    "operations": list(entry.operations),
                    "createdAt": moment_of(entry.created_at),
                    "expiresAt": moment_of(entry.expires_at),
                    "revokedAt": moment_of(entry.revoked_at),
                }
                for entry in entries
            ]
        )
        return
    print_table(
        ["KEY ID", "NAME", "API KEY", "CREATED", "STATE", "SCOPES", "NETWORKS", "OPERATIONS"],
        [
            [
                str(entry.key_id),
                entry.name or "-",
                entry.api_key,
                str(moment_of(entry.created_at)),
                _state(entry),
                " ".join(entry.scopes),
                " ".join(entry.networks) or "any",
                " ".join(entry.operations) or "any",
            ]
            for entry in entries
        ],
    )


@keys.command()
@click.argument("key_id", type=click.UUID)
def revoke(key_id: UUID) -> None:
    """Refuse a key from now on. Batches that were accepted go on."""
    from app.cli.connection import database
    from app.clients.keys import revoke_key

    with database(load_settings()) as engine:
        revoke_key(engine, key_id)
    click.echo(f"Key {key_id} is revoked.")


def _state(entry: KeyEntry) -> str:
    from datetime import UTC, datetime

    if entry.revoked_at:
        return "revoked"
    if entry.expires_at is None:
        return "active"
    ended = entry.expires_at <= datetime.now(UTC)
    return "expired" if ended else f"active until {moment_of(entry.expires_at)}"
