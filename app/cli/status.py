"""`batchline status`."""

from __future__ import annotations

import click

from app.cli.options import as_json, print_json, remote


@click.command()
@click.argument("batch_ids", metavar="[ID]...", nargs=-1)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@remote
@as_json
def status(
    batch_ids: tuple[str, ...], limit: int, url: str | None, secret: str | None, json_output: bool
) -> None:
    """Show the batches with these IDs, or the newest ones (--limit of them)."""
    from rich.console import Console

    from app.cli.connection import connect
    from app.terminal.progress import summary_line

    with connect(url, secret) as api:
        if batch_ids:
            batches = [api.batch(batch_id) for batch_id in batch_ids]
        else:
            batches = api.get("/v1/batches", limit=limit)["data"]
    if json_output:
        print_json(batches[0] if len(batch_ids) == 1 else batches)
        return
    console = Console(soft_wrap=True, highlight=False)
    for batch in batches:
        console.print(f"{batch['id']} ", summary_line(batch))
