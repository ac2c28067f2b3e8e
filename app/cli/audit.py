"""`batchline audit`: who did what."""

from __future__ import annotations

import json
from typing import Any

import click

from app.cli.options import as_json, print_json, print_table, remote


@click.command()
@click.option("--batch", metavar="ID", help="Only what was done with this batch.")
@click.option("--action", metavar="ACTION", help="Only these, such as batch.cancel.")
@click.option("--key", metavar="KEY_ID", help="Only what was done by this key.")
@click.option("--after", metavar="TIME", help="Only what is later (RFC 3339).")
@click.option("--before", metavar="TIME", help="Only what is earlier.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@remote
@as_json
def audit(
    limit: int, url: str | None, secret: str | None, json_output: bool, **filters: str | None
) -> None:
    """List what was done, newest first: a client's own, or with the scope admin everybody's."""
    from app.cli.connection import connect

    with connect(url, secret) as api:
        found = list(api.pages("/v1/audit", limit=limit, **filters))
    if json_output:
        print_json(found)
        return
    print_table(
        ["AT", "ACTION", "CLIENT ID", "KEY", "ADDRESS", "BATCH ID", "DETAIL"],
        [
            [
                entry["at"],
                entry["action"],
                entry["clientId"],
                _key(entry),
                entry["address"] or "",
                entry["batchId"] or "",
                json.dumps(entry["detail"], ensure_ascii=False),
            ]
            for entry in found
        ],
    )


def _key(entry: dict[str, Any]) -> str:
    if entry["keyId"] is None:
        return "command line"
    return entry["keyName"] or str(entry["keyId"])
