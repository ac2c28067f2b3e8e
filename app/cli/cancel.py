"""`batchline cancel`."""

from __future__ import annotations

import click

from app.cli.options import as_json, print_json, remote


@click.command()
@click.argument("batch_ids", metavar="ID...", nargs=-1, required=True)
@remote
@as_json
def cancel(
    batch_ids: tuple[str, ...], url: str | None, secret: str | None, json_output: bool
) -> None:
    """Cancel batches: items that have not begun end CANCELED, those under way finish."""
    from rich.console import Console

    from app.cli.connection import connect
    from app.terminal.progress import summary_line
    from batchline.client.api import segment

    console = Console(stderr=True)
    canceled = []
    with connect(url, secret) as api:
        for batch_id in batch_ids:
            answer = api.request("POST", f"/v1/batches/{segment(batch_id)}/cancel")
            canceled.append(answer.json())
            console.print(summary_line(canceled[-1]))
    if json_output:
        print_json(canceled[0] if len(canceled) == 1 else canceled)
