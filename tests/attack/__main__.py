"""`python -m tests.attack [NAMES]`: try all attacks, or those, and print the table."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import structlog

from app.clients.credentials import create_client
from app.core.settings import load_settings
from app.db import make_engine
from app.db.migrations import upgrade
from app.local.servers import start_postgres, start_valkey
from tests.attack.kinds import Row, Target, all_attacks, without_quotas
from tests.attack.measuring import tried
from tests.attack.stacks import attacked_stack

_TITLES = ("attack", "limit", "others' p95, idle", "under attack", "memory's peak", "held")


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if all were held."""
    attacks = all_attacks()
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(attacks)}; all unless given")
    parser.add_argument("--short", action="store_true", help="with a tenth of the force")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(attacks)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    # An attack that has an application in this process is no reason to log its requests here.
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=quiet)
    rows = []
    with tempfile.TemporaryDirectory(prefix="batchline-attack-") as folder:
        home = Path(folder)
        with start_postgres(home) as postgres, start_valkey(home) as valkey:
            settings = load_settings(
                {
                    "DATABASE_URL": postgres.url,
                    "REDIS_URL": valkey.url,
                    "BATCHLINE_HOME": str(home),
                }
            )
            engine = make_engine(settings.database_url or "", name="batchline-attack")
            upgrade(engine)
            for name in options.names or attacks:
                # A stack and clients of its own each time: no attack rests on what another left.
                attacker = create_client(engine, f"attacker {name}")
                without_quotas(engine, settings, attacker)
                other = create_client(engine, f"other {name}")
                with attacked_stack(settings) as stack:
                    row = tried(attacks[name], Target(stack, attacker, other, options.short))
                rows.append(row)
                print(_line(row), file=sys.stderr, flush=True)
            engine.dispose()
    print(table(rows))
    return 0 if all(row.held for row in rows) else 1


def table(rows: Sequence[Row]) -> str:
    """The rows, for people and for Markdown."""
    lines = [f"| {' | '.join(_TITLES)} |", f"|{' --- |' * len(_TITLES)}"]
    return "\n".join([*lines, *map(_line, rows)])


def _line(row: Row) -> str:
    cells = (
        row.attack,
        row.limit,
        f"{row.idle * 1000:.0f} ms",
        f"{row.under_attack * 1000:.0f} ms",
        f"{row.memory >> 20} MiB",
        "held" if row.held else "NOT HELD: " + "; ".join(row.wrong),
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
