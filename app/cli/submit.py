"""`batchline submit`."""

from __future__ import annotations

import json
from typing import Any

import click

from app.cli.described_files import described_file
from app.cli.options import as_json, print_json, remote


@click.command()
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--operation", metavar="NAME", help="What to do with each item.")
@click.option("--name", help="A name for the batch.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["json", "ndjson", "csv"]),
    help="What the file holds, if its name does not say.",
)
@click.option(
    "--on-invalid",
    type=click.Choice(["partial", "reject"]),
    help="Whether the rest runs if an item is invalid.",
)
@click.option("--max-failures", type=click.IntRange(0), help="Cancel the rest beyond this many.")
@click.option(
    "--max-failure-percent",
    type=click.FloatRange(0, 100),
    help="Cancel the rest if a larger share of the processed items fails.",
)
@click.option(
    "--min-processed",
    type=click.IntRange(0),
    help="How many have to be processed before that share counts (100 unless said).",
)
@click.option(
    "--approval",
    is_flag=True,
    default=None,
    help="Validate all items, then wait until another key approves.",
)
@click.option(
    "--ramp",
    metavar="JSON",
    help='Begin in steps: \'{"steps": [10, 100], "hold": "auto", "maxFailurePercent": 5}\'.',
)
@click.option(
    "--dry-run", type=click.UNPROCESSED, flag_value=True, default=None, help="Validate only."
)
@click.option(
    "--dry-run-effects",
    "dry_run",
    type=click.UNPROCESSED,
    flag_value="effects",
    help="Run the handlers, keep what they answer, and undo what they did.",
)
@click.option(
    "--start", type=click.Choice(["now", "manual"]), help="'manual' leaves the batch open."
)
@click.option("--scheduled-at", metavar="TIME", help="Start then (RFC 3339).")
@click.option("--metadata", metavar="JSON", help="An object to keep with the batch.")
@click.option("--idempotency-key", metavar="KEY", help="Submitting twice with it submits once.")
@click.option("--watch", "watching", is_flag=True, help="Wait for the end, with a progress bar.")
@remote
@as_json
def submit(
    file: str,
    format_: str | None,
    watching: bool,
    metadata: str | None,
    ramp: str | None,
    idempotency_key: str | None,
    url: str | None,
    secret: str | None,
    json_output: bool,
    **options: Any,
) -> None:
    """Submit FILE ("-" for standard input) as a batch, and print its id.

    \b
    FILE may hold
      JSON    an array of items, or a whole request as POST /v1/batches takes it
      NDJSON  an item a line (.ndjson, .jsonl)
      CSV     a header row, then an item a row (.csv)
    and be compressed (.gz). NDJSON and CSV are streamed, whatever their size.

    With --watch the exit status is 0 if the batch succeeded, 3 if it ended PARTIAL, 4 if it ended
    FAILED or CANCELED.
    """  # noqa: D301 (click's mark for a paragraph that is not wrapped)
    from rich.console import Console

    from app.cli.connection import connect
    from app.terminal import progress
    from batchline.client.submission import submit as send

    console = Console(stderr=True)
    fields = {_camel(name): value for name, value in options.items()}
    fields["metadata"] = _object("--metadata", metadata)
    fields["ramp"] = _object("--ramp", ramp)
    described = described_file(file, format_)
    with connect(url, secret) as api:
        with progress.upload_bar(console) as bar:
            task = bar.add_task(f"sending {described.name}", total=described.size)
            batch = send(
                api,
                described,
                fields,
                idempotency_key=idempotency_key,
                progress=lambda sent: bar.advance(task, sent),
            )
        if watching:
            if not json_output:
                click.echo(batch["id"])
            [batch] = progress.watch(api, [batch], console)
            console.print(progress.summary_line(batch))
    if json_output:
        print_json(batch)
    elif not watching:
        click.echo(batch["id"])
    if watching:
        raise SystemExit(progress.worst_exit_status([batch]))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _object(option: str, text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}", param_hint=option) from None
    if not isinstance(value, dict):
        raise click.BadParameter("not an object", param_hint=option)
    return value
