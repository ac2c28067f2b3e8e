"""`batchline webhooks`: be told when batches end."""

from __future__ import annotations

from typing import Any

import click

from app.cli.options import as_json, print_json, print_table, remote


@click.group()
def webhooks() -> None:
    """Add, list and remove webhooks; look at what was sent, and send it again."""


@webhooks.command("add")
@click.argument("target", metavar="URL_TO_TELL")
@click.option(
    "--event",
    "events",
    multiple=True,
    default=["batch.finished"],
    show_default=True,
    help="Of what.",
)
@remote
@as_json
def add(
    target: str, events: tuple[str, ...], url: str | None, secret: str | None, json_output: bool
) -> None:
    """Have URL_TO_TELL told of events. Prints the secret that verifies them: the only time."""
    from app.cli.connection import connect

    with connect(url, secret) as api:
        body = {"url": target, "events": list(events)}
        made = api.call("POST", "/v1/webhooks", json=body)
    _print_secret(made, json_output)


@webhooks.command("list")
@remote
@as_json
def list_(url: str | None, secret: str | None, json_output: bool) -> None:
    """List the webhooks."""
    from app.cli.connection import connect

    with connect(url, secret) as api:
        found = list(api.pages("/v1/webhooks"))
    if json_output:
        print_json(found)
        return
    print_table(
        ["WEBHOOK ID", "URL", "EVENTS", "STATE"],
        [
            [
                webhook["id"],
                webhook["url"],
                " ".join(webhook["events"]),
                f"disabled: {webhook['disabledReason']}" if webhook["disabledAt"] else "active",
            ]
            for webhook in found
        ],
    )


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@remote
def remove(webhook_id: str, url: str | None, secret: str | None) -> None:
    """Remove the webhook ID, with its delivery log."""
    from app.cli.connection import connect
    from batchline.client.api import segment

    with connect(url, secret) as api:
        api.request("DELETE", f"/v1/webhooks/{segment(webhook_id)}")
    click.echo(f"Webhook {webhook_id} is removed.")


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@remote
@as_json
def rotate(webhook_id: str, url: str | None, secret: str | None, json_output: bool) -> None:
    """Give the webhook ID a new secret; for a day the old one signs as well."""
    from app.cli.connection import connect
    from batchline.client.api import segment

    with connect(url, secret) as api:
        made = api.call("POST", f"/v1/webhooks/{segment(webhook_id)}/rotate")
    _print_secret(made, json_output)


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@remote
@as_json
def deliveries(
    webhook_id: str, limit: int, url: str | None, secret: str | None, json_output: bool
) -> None:
    """List what was sent to the webhook ID, newest first."""
    from app.cli.connection import connect
    from batchline.client.api import segment

    with connect(url, secret) as api:
        found = list(api.pages(f"/v1/webhooks/{segment(webhook_id)}/deliveries", limit=limit))
    if json_output:
        print_json(found)
        return
    print_table(
        ["DELIVERY ID", "BATCH ID", "STATUS", "TRIES", "ANSWER", "CREATED"],
        [
            [
                delivery["id"],
                delivery["batchId"] or "",
                delivery["status"],
                str(delivery["attempts"]),
                _answer(delivery),
                delivery["createdAt"],
            ]
            for delivery in found
        ],
    )


@webhooks.command()
@click.argument("webhook_id", metavar="ID")
@click.argument("delivery_id", metavar="DELIVERY_ID")
@remote
@as_json
def resend(
    webhook_id: str, delivery_id: str, url: str | None, secret: str | None, json_output: bool
) -> None:
    """Send DELIVERY_ID to the webhook ID again."""
    from app.cli.connection import connect
    from batchline.client.api import segment

    with connect(url, secret) as api:
        path = f"/v1/webhooks/{segment(webhook_id)}/deliveries/{segment(delivery_id)}/resend"
        delivery = api.call("POST", path)
    if json_output:
        print_json(delivery)
    else:
        click.echo(f"Delivery {delivery['id']} is sent again.")


def _print_secret(webhook: dict[str, Any], json_output: bool) -> None:
    if json_output:
        print_json(webhook)
        return
    click.echo(f"webhook id  {webhook['id']}")
    click.echo(f"url         {webhook['url']}")
    click.echo(f"secret      {webhook['secret']}   (shown only now)")


def _answer(delivery: dict[str, Any]) -> str:
    if delivery["responseStatus"] is not None:
        return str(delivery["responseStatus"])
    return delivery["error"] or ""
