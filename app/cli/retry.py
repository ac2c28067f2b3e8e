"""`batchline retry`."""

from __future__ import annotations

import click

from app.cli.options import as_json, print_json, remote


@click.command()
@click.argument("batch_id", metavar="ID")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(["FAILED", "INVALID", "CANCELED"], case_sensitive=False),
    help="Run the items again that ended so (more than once for several); FAILED if left out.",
)
@click.option(
    "--failure", metavar="FAILURE", help="Only those by this cause, of `batchline failures`."
)
@click.option("--watch", "watching", is_flag=True, help="Wait for the end, with a progress bar.")
@remote
@as_json
def retry(
    batch_id: str,
    statuses: tuple[str, ...],
    failure: str | None,
    watching: bool,
    url: str | None,
    secret: str | None,
    json_output: bool,
) -> None:
    """Run the items of the ended batch ID that failed again, or those that failed by one cause.

    With --watch the exit status is 0 if the batch then succeeded, 3 if it ended PARTIAL, 4 if it
    ended FAILED or CANCELED.
    """
    from rich.console import Console

    from app.cli.connection import connect
    from app.terminal import progress
    from batchline.client.api import segment

    console = Console(stderr=True)
    chosen = [status.upper() for status in statuses]
    path = f"/v1/batches/{segment(batch_id)}"
    with connect(url, secret) as api:
        if failure is None:
            body = {"statuses": chosen} if chosen else {}
            batch = api.call("POST", f"{path}/retry", json=body)
        else:
            where = {"failure": failure, **({"status": chosen} if chosen else {})}
            answer = api.call("POST", f"{path}/items/retry", json={"where": where})
            batch = answer["batch"]
            console.print(f"{answer['selected']:,} items run again.")
        if watching:
            [batch] = progress.watch(api, [batch], console)
    console.print(progress.summary_line(batch))
    if json_output:
        print_json(batch)
    if watching:
        raise SystemExit(progress.worst_exit_status([batch]))
