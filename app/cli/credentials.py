"""Credentials as the commands print them, once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from app.cli.options import print_json

if TYPE_CHECKING:
    from app.clients.credentials import ClientSecret


def print_secret(made: ClientSecret, json_output: bool) -> None:
    """Print the key that was made, or given another secret."""
    if json_output:
        print_json(
            {
                "clientId": str(made.client_id),
                "apiKey": made.api_key,
                "secret": made.secret,
                "scopes": list(made.scopes),
                "keyId": str(made.key_id),
            }
        )
        return
    click.echo(f"client id  {made.client_id}")
    click.echo(f"key id     {made.key_id}")
    click.echo(f"api key    {made.api_key}")
    click.echo(f"secret     {made.secret}   (shown only now)")
    click.echo(f"scopes     {' '.join(made.scopes)}")
    if made.expires_at is not None:
        click.echo(f"expires    {moment_of(made.expires_at)}")


def moment_of(value: datetime | None) -> str | None:
    """A time as it is printed: to the second, in UTC."""
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
