"""`batchline events`."""

from __future__ import annotations

import json

import click

from app.cli.options import as_json, remote


@click.command()
@click.argument("batch_id", metavar="ID")
@remote
@as_json
def events(batch_id: str, url: str | None, secret: str | None, json_output: bool) -> None:
    """Print what happens to batch ID, a line an event, until it has ended.

    With --json, an object a line with `event` and `data`. The exit status is that of `watch`.
    """
    from app.cli.connection import connect
    from app.terminal import progress
    from batchline.client.events import FINISHED, follow

    with connect(url, secret) as api:
        for event in follow(api, batch_id):
            if json_output:
                click.echo(json.dumps({"event": event.name, "data": event.data}))
            elif event.name == FINISHED:
                click.echo(progress.summary_line(event.data).plain)
            else:
                click.echo(_line(event.data))
            if event.name == FINISHED:
                raise SystemExit(progress.worst_exit_status([event.data]))


def _line(summary: dict[str, int]) -> str:
    counts = " ".join(
        f"{name} {summary[name]}"
        for name in ("pending", "running", "completed", "failed", "invalid", "canceled")
        if summary[name]
    )
    return f"{summary['processed']:>9} of {summary['total']}  {counts}".rstrip()
