"""`batchline operations`."""

from __future__ import annotations

import click

from app.cli.options import as_json, print_json, print_table, remote


@click.command()
@remote
@as_json
def operations(url: str | None, secret: str | None, json_output: bool) -> None:
    """List the operations that batches can ask for."""
    from app.cli.connection import connect

    with connect(url, secret) as api:
        offered = api.get("/v1/operations")["data"]
    if json_output:
        print_json(offered)
        return
    print_table(
        ["OPERATION", "KEY", "DESCRIPTION"],
        [
            [entry["name"], ":".join(entry.get("key") or ()), entry.get("description") or ""]
            for entry in offered
        ],
    )
