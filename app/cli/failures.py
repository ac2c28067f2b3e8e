"""`batchline failures`."""

from __future__ import annotations

import json
from typing import Any

import click

from app.cli.options import as_json, print_table, remote
from app.core.visible import visible_json

_LONGEST = 100


@click.command()
@click.argument("batch_id", metavar="ID")
@click.option("--limit", type=click.IntRange(1), help="At most so many; all if left out.")
@remote
@as_json
def failures(
    batch_id: str, limit: int | None, url: str | None, secret: str | None, json_output: bool
) -> None:
    """List what went wrong with items of batch ID, by cause, the most frequent first.

    The id of each is what `items --failure` and `retry --failure` take. With --json, one a line.
    """
    from app.cli.connection import connect
    from batchline.client.api import segment

    with connect(url, secret) as api:
        path = f"/v1/batches/{segment(batch_id)}/failures"
        found: list[dict[str, Any]] = list(api.pages(path, limit=limit))
    if json_output:
        for row in found:
            click.echo(visible_json(json.dumps(row, ensure_ascii=False)))
    elif found:
        print_table(
            ["FAILURE", "COUNT", "STATUS", "CODE", "FIRST", "MESSAGE"], list(map(_row, found))
        )


def _row(row: dict[str, Any]) -> list[str]:
    message = row["message"] or ""
    if len(message) > _LONGEST:
        message = message[: _LONGEST - 1] + "…"
    shown = (row["failure"], row["count"], row["status"], row["code"], row["firstIndex"], message)
    return ["" if value is None else str(value) for value in shown]
