"""`batchline serve`."""

from __future__ import annotations

import click


@click.command()
@click.option("--examples", is_flag=True, help="Submit the batches in examples/, and watch.")
def serve(examples: bool) -> None:
    """Run everything on this machine, until Ctrl-C.

    Starts Postgres and Valkey under BATCHLINE_HOME unless DATABASE_URL and REDIS_URL name others,
    migrates, runs the Procfile's processes (web, worker, slow, beat, flower), makes a demo client,
    and prints the addresses and a curl to paste. A process that dies is started again; one that
    keeps dying brings the rest down. Ctrl-C, SIGTERM and the death of the parent process stop
    everything, in order.

    PORT=0 and FLOWER_PORT=0 take free ports.
    """
    from app.local.serve import run

    raise SystemExit(run(examples=examples))
