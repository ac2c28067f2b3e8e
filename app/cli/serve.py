"""`batchline serve`."""

from __future__ import annotations

import click

from app.core.log_lines import print_objects_if_asked


@click.command()
@click.option("--demo", is_flag=True, help="Make a demo client, and print a curl with its secret.")
@click.option(
    "--examples", is_flag=True, help="Submit the batches in examples/, and watch. Includes --demo."
)
@click.option("--verbose", "-v", is_flag=True, help="Print all that the processes log.")
@click.option(
    "--reload",
    "reload_",
    is_flag=True,
    help="Start web and workers again when the code of handlers changes. Never in production.",
)
def serve(demo: bool, examples: bool, verbose: bool, reload_: bool) -> None:
    """Run everything on this machine, until Ctrl-C.

    Starts Postgres and Valkey under BATCHLINE_HOME unless DATABASE_URL and REDIS_URL name others,
    migrates, runs the Procfile's processes (web, worker, slow, beat, flower), and prints the
    addresses. What processes log goes to BATCHLINE_HOME/log, a file each; of it only warnings are
    printed, and what handlers print. With LOG_FORMAT=json every line is an object, printed to
    standard error, and there are no files. A process that dies is started again; one that
    keeps dying brings the rest down. Ctrl-C, SIGTERM and the death of the parent process stop
    everything, in order.

    With --reload, code that cannot be loaded is said, and what was started before goes on.

    PORT=0 and FLOWER_PORT=0 take free ports.
    """
    print_objects_if_asked()
    from app.local.serve import Asked, run

    raise SystemExit(run(Asked(demo, examples, verbose, reload_)))
