"""One action on several batches: what `approve`, `reject`, `cancel`, `pause` and `resume` share."""

from __future__ import annotations

from collections.abc import Sequence

from app.cli.options import print_json


def act_on(
    batch_ids: Sequence[str], action: str, url: str | None, secret: str | None, json_output: bool
) -> None:
    """POST the action for each, and print how it stands then: on standard output as JSON if asked.

    Raises ClientError at the first that cannot be; those before it have been acted on.
    """
    from rich.console import Console

    from app.cli.connection import connect
    from app.terminal.progress import summary_line
    from batchline.client.api import segment

    console = Console(stderr=True)
    done = []
    with connect(url, secret) as api:
        for batch_id in batch_ids:
            done.append(api.call("POST", f"/v1/batches/{segment(batch_id)}/{action}"))
            console.print(summary_line(done[-1]))
    if json_output:
        print_json(done[0] if len(done) == 1 else done)
