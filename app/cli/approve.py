"""`batchline approve`."""

from __future__ import annotations

import click

from app.cli.acting import act_on
from app.cli.options import as_json, remote


@click.command()
@click.argument("batch_ids", metavar="ID...", nargs=-1, required=True)
@remote
@as_json
def approve(
    batch_ids: tuple[str, ...], url: str | None, secret: str | None, json_output: bool
) -> None:
    """Approve batches that are AWAITING: they run, or wait for their time."""
    act_on(batch_ids, "approve", url, secret, json_output)
