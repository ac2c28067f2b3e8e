"""`batchline results`."""

from __future__ import annotations

import sys
from typing import BinaryIO

import click

from app.cli.items import STATUSES
from app.cli.options import remote


@click.command()
@click.argument("batch_id", metavar="ID")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["ndjson", "csv", "resubmit"]),
    default="ndjson",
    show_default=True,
    help="'resubmit': the items with their operations, for `batchline submit`.",
)
@click.option("--status", type=click.Choice(STATUSES, case_sensitive=False), help="Only these.")
@click.option("--after", type=click.IntRange(-1), help="Begin behind this index.")
@click.option(
    "--spreadsheet", is_flag=True, help="CSV in which no text can be taken for a formula."
)
@click.option(
    "-o",
    "--output",
    type=click.File("wb", lazy=True),
    default="-",
    help="Standard output if not said.",
)
@remote
def results(
    batch_id: str,
    format_: str,
    status: str | None,
    after: int | None,
    spreadsheet: bool,
    output: BinaryIO,
    url: str | None,
    secret: str | None,
) -> None:
    """Download what became of the items of batch ID, whatever their number.

    If the connection breaks, NDJSON goes on where it was; otherwise the message says which --after
    to go on with.
    """
    from rich.console import Console

    from app.cli.connection import connect
    from app.terminal import progress
    from batchline.client.download import download

    query = {
        "format": format_,
        "status": status.upper() if status else None,
        "after": after,
        "spreadsheet": "true" if spreadsheet else None,
    }
    console = Console(stderr=True)
    # No progress bar between the lines of results on the same terminal.
    quiet = output.name == "<stdout>" and sys.stdout.isatty()
    with connect(url, secret) as api, progress.download_bar(console, quiet=quiet) as bar:
        task = bar.add_task("receiving", total=None)
        for chunk in download(api, batch_id, query):
            output.write(chunk)
            bar.advance(task, len(chunk))
