"""`python -m tests.soak --minutes 60`: full load, a sample every ten seconds, and a verdict."""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import click
import redis

from app.clients.credentials import create_client
from app.core.settings import load_settings
from app.db import make_engine
from app.db.migrations import upgrade
from app.local.servers import start_postgres, start_valkey
from app.local.servers.ports import free_port
from tests.soak.callers import Caller, Done
from tests.soak.sampling import Sample, processes_of, servers_of
from tests.soak.verdict import verdicts
from tests.support.stack import running_stack

EVERY = 10.0
LINES = ("web", "worker", "slow", "beat", "flower")


@click.command()
@click.option("--minutes", default=60.0, show_default=True, help="How long.")
@click.option("--callers", default=6, show_default=True, help="How many submit at once.")
@click.option("--csv", "path", default="soak.csv", show_default=True, help="Where samples go.")
def main(minutes: float, callers: int, path: str) -> None:
    """Run a stack of its own at full load; end with 1 where something does not level off."""
    with tempfile.TemporaryDirectory(prefix="batchline-soak-") as home:
        Path(home).chmod(0o711)
        done, samples = soak(Path(home), minutes * 60, callers)
    write(samples, Path(path))
    click.echo(f"{done.batches:,} batches, {done.items:,} items in {minutes:g} minutes; {path}")
    click.echo(f"{'':34} {'at first':>10} {'last third':>10} {'growth in it':>12}")
    growing = 0
    for one in verdicts(samples):
        growing += not one.levels_off
        said = "" if one.levels_off else "  GROWS"
        click.echo(f"{one.name:34} {one.first:10,.1f} {one.level:10,.1f} {one.growth:12,.1f}{said}")
    for surprise in done.surprises[:20]:
        click.echo(f"SURPRISE {surprise}")
    click.echo(f"{growing} do not level off, {len(done.surprises)} surprises")
    sys.exit(bool(growing or done.surprises))


def soak(home: Path, seconds: float, callers: int) -> tuple[Done, list[tuple[float, Sample]]]:
    """What was done, and the samples, each with its seconds since the beginning."""
    with ExitStack() as cleanup:
        postgres = cleanup.enter_context(start_postgres(home))
        valkey = cleanup.enter_context(start_valkey(home))
        settings = load_settings(
            {"DATABASE_URL": postgres.url, "REDIS_URL": valkey.url, "BATCHLINE_HOME": str(home)}
        )
        engine = make_engine(settings.database_url or "", name="batchline-soak", pool_size=1)
        cleanup.callback(engine.dispose)
        upgrade(engine)
        extra = {"FLOWER_PORT": str(free_port()), "LOG_LEVEL": "WARNING"}
        stack = cleanup.enter_context(running_stack(settings, processes=LINES, extra=extra))
        keys = cleanup.enter_context(redis.Redis.from_url(valkey.url))
        secret = create_client(engine, "soak").secret
        done = Done()
        began = time.monotonic()
        calling = [Caller(stack.url, secret, seed, done) for seed in range(callers)]
        samples: list[tuple[float, Sample]] = []
        while (now := time.monotonic() - began) < seconds:
            sample = processes_of(stack.processes) | servers_of(engine, keys)
            samples.append((now, sample))
            click.echo(f"\r{now / 60:6.1f} min  {done.items:,} items", nl=False, err=True)
            time.sleep(max(0.0, EVERY - (time.monotonic() - began - now)))
        for caller in calling:
            caller.stop()
        click.echo(err=True)
        return done, samples


def write(samples: Sequence[tuple[float, Sample]], path: Path) -> None:
    """As CSV: a line a sample, a column for each thing that was ever there."""
    names = sorted({name for _, sample in samples for name in sample})
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["seconds", *names])
        for at, sample in samples:
            lines.writerow([round(at), *(sample.get(name, "") for name in names)])


if __name__ == "__main__":
    main()
