"""`batchline edit`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from app.cli.options import as_json, print_json, remote


@click.command()
@click.argument("batch_id", metavar="ID")
@click.argument("index", type=click.IntRange(0))
@click.option(
    "--input",
    "said",
    metavar="JSON",
    required=True,
    help='The whole item, an object; "@FILE" for a file of it, "-" for standard input.',
)
@remote
@as_json
def edit(
    batch_id: str,
    index: int,
    said: str,
    url: str | None,
    secret: str | None,
    json_output: bool,
) -> None:
    """Give item INDEX of batch ID another input: one that did not succeed, or one of an open batch.

    Nothing is run: `batchline retry ID` does that. What the item was stays in its history.
    """
    from app.cli.connection import connect
    from batchline.client.api import segment

    text = _object(said)
    with connect(url, secret) as api:
        path = f"/v1/batches/{segment(batch_id)}/items/{index}"
        # As it was written, to the letter.
        content = f'{{"input": {text}}}'.encode()
        headers = {"Content-Type": "application/json"}
        item = api.call("PATCH", path, content=content, headers=headers)
    if json_output:
        print_json(item)
    else:
        click.echo(f"Item {index} has another input; it is {item['status']} as before.", err=True)


def _object(said: str) -> str:
    text = said
    try:
        if said == "-":
            text = sys.stdin.buffer.read().decode()
        elif said.startswith("@"):
            text = Path(said[1:]).read_text()
        value = json.loads(text)
    except OSError as error:
        raise click.BadParameter(f"{said[1:]}: {error.strerror}", param_hint="--input") from None
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}", param_hint="--input") from None
    if not isinstance(value, dict):
        raise click.BadParameter("not an object", param_hint="--input")
    return text
