"""`batchline cancel`."""

from __future__ import annotations

import click

from app.cli.acting import act_on
from app.cli.options import as_json, remote


@click.command()
@click.argument("batch_ids", metavar="ID...", nargs=-1, required=True)
@remote
@as_json
def cancel(
    batch_ids: tuple[str, ...], url: str | None, secret: str | None, json_output: bool
) -> None:
    """Cancel batches: items that have not begun end CANCELED, those under way finish."""
    act_on(batch_ids, "cancel", url, secret, json_output)
