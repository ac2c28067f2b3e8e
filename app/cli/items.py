"""`batchline items`."""

from __future__ import annotations

import json
from typing import Any

import click

from app.cli.options import as_json, remote
from app.core.visible import visible, visible_json

STATUSES = ["PENDING", "RUNNING", "SUCCESS", "INVALID", "FAILED", "CANCELED"]


@click.command()
@click.argument("batch_id", metavar="ID")
@click.option("--status", type=click.Choice(STATUSES, case_sensitive=False), help="Only these.")
@click.option("--key", metavar="KEY", help="Only the items of this record.")
@click.option("--failure", metavar="ID", help="Only those that went wrong by this cause.")
@click.option("--limit", type=click.IntRange(1), help="At most so many; all if left out.")
@remote
@as_json
def items(
    batch_id: str,
    status: str | None,
    key: str | None,
    failure: str | None,
    limit: int | None,
    url: str | None,
    secret: str | None,
    json_output: bool,
) -> None:
    """List the items of batch ID: index, status, key, and message or result.

    With --json, an item a line.
    """
    from app.cli.connection import connect

    with connect(url, secret) as api:
        for item in api.items(batch_id, limit=limit, status=status, key=key, failure=failure):
            click.echo(_json(item) if json_output else _line(item))


def _json(value: Any) -> str:
    return visible_json(json.dumps(value, ensure_ascii=False))


def _line(item: dict[str, Any]) -> str:
    said = item.get("message")
    if said is None and item.get("result") is not None:
        said = _json(item["result"])
    key = visible(item.get("key") or "")
    return f"{item['index']:>8}  {item['status']:<8}  {key:<24}  {visible(said or '')}".rstrip()
