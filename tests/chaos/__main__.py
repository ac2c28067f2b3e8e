"""`python -m tests.chaos [RUNS] [SEED]`: the long form, with a report."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import click

from tests.chaos.machine import BROKERS
from tests.chaos.run import Report, run


@click.command()
@click.option("--runs", default=3, show_default=True, help="How many runs, each with its own seed.")
@click.option("--seed", default=None, type=int, help="The first run's seed; printed if not given.")
@click.option("--batches", default=150, show_default=True, help="Batches submitted in each run.")
@click.option("--fault", "faults", multiple=True, help="Only these faults, in this order.")
@click.option("--broker", default=BROKERS[0], show_default=True, type=click.Choice(BROKERS))
def main(runs: int, seed: int | None, batches: int, faults: tuple[str, ...], broker: str) -> None:
    """Inject faults into a stack of its own, and say what came of it."""
    first = int(time.time()) if seed is None else seed
    reports = []
    for number in range(runs):
        click.echo(f"run {number + 1} of {runs}, seed {first + number}")
        with tempfile.TemporaryDirectory(prefix="batchline-chaos-") as home:
            Path(home).chmod(0o711)
            report = run(Path(home), first + number, faults=faults, batches=batches, broker=broker)
        _tell(report)
        reports.append(report)
    broken = [report for report in reports if report.problems]
    click.echo(
        f"{len(reports)} runs, {sum(len(report.faults) for report in reports)} faults, "
        f"{sum(report.batches for report in reports)} batches, "
        f"{sum(report.items for report in reports)} items; "
        f"longest stall: {max(report.longest[1] for report in reports):.1f} s"
    )
    click.echo(f"{len(reports) - len(broken)} passed, {len(broken)} failed")
    sys.exit(bool(broken))


def _tell(report: Report) -> None:
    for name, seconds in report.recoveries:
        click.echo(f"  {name:28} longest stall {seconds:5.1f} s")
    click.echo(
        f"  {report.batches} batches, {report.items} items, {report.tried_again} tried again after "
        f"a death, {report.unavailable} answers of 503"
    )
    for problem in report.problems:
        click.echo(f"  PROBLEM {problem}")


if __name__ == "__main__":
    main()
