"""`batchline watch`."""

from __future__ import annotations

import click

from app.cli.options import as_json, print_json, remote


@click.command()
@click.argument("batch_ids", metavar="ID...", nargs=-1, required=True)
@remote
@as_json
def watch(
    batch_ids: tuple[str, ...], url: str | None, secret: str | None, json_output: bool
) -> None:
    """Show the progress of batches until they have ended.

    The exit status is 0 if all succeeded, 3 if one ended PARTIAL, 4 if one ended FAILED or
    CANCELED.
    """
    from rich.console import Console

    from app.cli.connection import connect
    from app.terminal import progress

    console = Console(stderr=True)
    with connect(url, secret) as api:
        wanted = dict.fromkeys(batch_ids)
        batches = [api.batch(batch_id) for batch_id in wanted]
        ended = progress.watch(api, batches, console)
    for batch in ended:
        console.print(progress.summary_line(batch))
    if json_output:
        print_json(ended[0] if len(ended) == 1 else ended)
    raise SystemExit(progress.worst_exit_status(ended))
