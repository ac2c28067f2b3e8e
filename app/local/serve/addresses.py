"""The addresses of all servers, printed at the end of a start."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from app.core.log_lines import ObjectLines
from app.core.settings import Settings
from batchline.client.api import Api

SAMPLE = {
    "operation": "catalog.masterlist",
    "items": [
        {"asin": "B07PXGQC1Q", "countryCode": "US", "percACoS": 2.7},
        {"asin": "B01CR3RA7S", "countryCode": "DE", "percACoS": 12.5},
    ],
}


@dataclass(frozen=True, slots=True)
class Addresses:
    """URLs that work on this machine."""

    api: str
    flower: str

    @classmethod
    def of(cls, settings: Settings) -> Addresses:
        """The addresses, once the ports are known."""
        host = settings.bind_host
        if host in ("0.0.0.0", "::"):  # noqa: S104 (compared, not bound)
            host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
        if ":" in host:
            host = f"[{host}]"
        return cls(f"http://{host}:{settings.port}", f"http://127.0.0.1:{settings.flower_port}")


def announce(
    addresses: Addresses, api: Api, secret: str | None, env_file: Path, worker_line: str | None
) -> None:
    """Print the addresses, and lines to paste; those with a secret only where there is one."""
    places = {
        "API": f"{addresses.api}/v1",
        "docs": f"{addresses.api}/docs",
        "console": f"{addresses.api}/console",
        "Flower": addresses.flower,
    }
    if not api.offers("/console"):
        del places["console"]
    click.echo("\nBatchline is ready.\n")
    for name, url in places.items():
        click.echo(f"  {name:<8} {url}")
    if secret is not None:
        click.echo("\nSubmit a batch (as the demo client):\n")
        echo_secret(f"  {sample_curl(addresses, secret)}")
    click.echo("\nUse the command line or add a worker, in another terminal:\n")
    click.echo(f"  set -a; . {shlex.quote(str(env_file))}; set +a")
    if secret is None:
        click.echo("  batchline clients create NAME")
    click.echo("  batchline status")
    if worker_line:
        click.echo(f"  {worker_line}")
    click.echo("\nCtrl-C stops everything.\n")


def echo_secret(line: str) -> None:
    """Print a line that bears a secret on standard output, as it is: it is no log."""
    if isinstance(sys.stdout, ObjectLines):
        # As an object too, but nothing is taken out of it.
        sys.stdout.raw.write(json.dumps({"event": "serve.demo", "curl": line.strip()}) + "\n")
        sys.stdout.raw.flush()
    else:
        click.echo(line)


def sample_curl(addresses: Addresses, secret: str) -> str:
    """A line for a shell that submits a small batch."""
    words = [
        "curl",
        f"{addresses.api}/v1/batches",
        "-H",
        f"Authorization: Bearer {secret}",
        "-H",
        "Content-Type: application/json",
        "-d",
        json.dumps(SAMPLE),
    ]
    return shlex.join(words)
