"""`batchline pause`."""

from __future__ import annotations

import click

from app.cli.acting import act_on
from app.cli.options import as_json, remote


@click.command()
@click.argument("batch_ids", metavar="ID...", nargs=-1, required=True)
@remote
@as_json
def pause(
    batch_ids: tuple[str, ...], url: str | None, secret: str | None, json_output: bool
) -> None:
    """Pause batches: no item begins any more, those under way finish."""
    act_on(batch_ids, "pause", url, secret, json_output)
