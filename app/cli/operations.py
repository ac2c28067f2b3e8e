"""`batchline operations`: which there are, and whether they may begin."""

from __future__ import annotations

from typing import Any

import click

from app.cli.options import as_json, print_json, print_table, remote


@click.group(invoke_without_command=True)
@remote
@as_json
@click.pass_context
def operations(
    context: click.Context, url: str | None, secret: str | None, json_output: bool
) -> None:
    """List the operations that batches can ask for; open and close their breakers."""
    if context.invoked_subcommand is not None:
        context.obj = (url, secret, json_output)
        return
    from app.cli.connection import connect

    with connect(url, secret) as api:
        offered = api.get("/v1/operations")["data"]
    if json_output:
        print_json(offered)
        return
    print_table(
        ["OPERATION", "KEY", "BREAKER", "DESCRIPTION"],
        [
            [
                entry["name"],
                ":".join(entry.get("key") or ()),
                _breaker(entry),
                entry.get("description") or "",
            ]
            for entry in offered
        ],
    )


_base = click.option(
    "--base", metavar="BASE", help="Only this base of it (http.request); all if left out."
)


@operations.command(name="open")
@click.argument("name")
@_base
@remote
@as_json
@click.pass_context
def open_(
    context: click.Context,
    name: str,
    base: str | None,
    url: str | None,
    secret: str | None,
    json_output: bool,
) -> None:
    """Let nothing of operation NAME begin until it is closed."""
    _set(context, name, "open", base, url, secret, json_output)


@operations.command()
@click.argument("name")
@_base
@remote
@as_json
@click.pass_context
def close(
    context: click.Context,
    name: str,
    base: str | None,
    url: str | None,
    secret: str | None,
    json_output: bool,
) -> None:
    """Let operation NAME, which somebody or its breaker has opened, go on."""
    _set(context, name, "closed", base, url, secret, json_output)


def _set(
    context: click.Context,
    name: str,
    state: str,
    base: str | None,
    url: str | None,
    secret: str | None,
    json_output: bool,
) -> None:
    """Ask for it, and print how it stands then. What is said before the verb counts too."""
    from app.cli.connection import connect
    from batchline.client.api import segment

    url_before, secret_before, json_before = context.obj
    with connect(url or url_before, secret or secret_before) as api:
        asked = {"state": state, "base": base}
        entry = api.call("POST", f"/v1/operations/{segment(name)}/breaker", json=asked)
    if json_output or json_before:
        print_json(entry)
    else:
        click.echo(f"{entry['name']}: {_breaker(entry) or 'closed'}")


def _breaker(entry: dict[str, Any]) -> str:
    """The worst of them, and of which bases; empty while all are closed."""
    kept = [one for one in entry.get("breakers") or () if one["state"] != "closed"]
    if not kept:
        return ""
    named = ", ".join(one["base"] for one in kept if one["base"])
    return f"{entry['breaker']} ({named})" if named else str(entry["breaker"])
