"""The addresses of all servers, printed at the end of a start."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from app.core.log_lines import ObjectLines
from app.core.settings import Settings
from app.local.serve.output import Output
from batchline.client.api import Api

_WAIT_SECONDS = 20
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
    addresses: Addresses,
    api: Api,
    output: Output,
    *,
    secret: str | None,
    env_file: Path,
    logs: Path | None,
    worker_line: str | None,
) -> None:
    """Print the addresses, and lines to paste; those with a secret only where there is one.

    `logs`: the folder that processes log to, if they do. `worker_line`: starts one more worker.
    """
    places = {
        "API": f"{addresses.api}/v1",
        "docs": f"{addresses.api}/docs",
        "Flower": addresses.flower,
    }
    lines = ["", "Batchline is ready.", ""]
    lines += [f"  {name:<8} {url}" for name, url in places.items()]
    lines += [f"  {'logs':<8} {logs}"] if logs is not None else []
    if secret is not None:
        lines += ["", "Submit a batch (as the demo client), and see how it ended:", ""]
        curl = sample_curl(addresses, secret)
        if isinstance(sys.stdout, ObjectLines):
            # As an object too, but nothing is taken out of it: it is no log.
            sys.stdout.raw.write(json.dumps({"event": "serve.demo", "curl": curl}) + "\n")
            sys.stdout.raw.flush()
        else:
            lines.append(f"  {curl}")
    lines += ["", "Use the command line or add a worker, in another terminal:", ""]
    lines.append(f"  set -a; . {shlex.quote(str(env_file))}; set +a")
    lines += ["  batchline clients create NAME"] if secret is None else []
    lines.append("  batchline status")
    lines += [f"  {worker_line}"] if worker_line else []
    lines += [
        "",
        "Write an operation of your own: docs/handlers.md. Send your items: docs/integrating.md.",
        "Ctrl-C stops everything.",
        "",
    ]
    if api.offers("/console"):
        # Last, where whoever waited for the end looks first.
        whose = " with the secret above" if secret is not None else ""
        lines += [f"See it all, and act on it, in the console; sign in{whose}:", ""]
        lines += [f"  {addresses.api}/console", ""]
    output.block("\n".join(lines))


def sample_curl(addresses: Addresses, secret: str) -> str:
    """A line for a shell that submits a small batch, waits for it and shows its summary."""
    words = [
        "curl",
        "-sS",  # no meter where the answer goes on to another program
        "-w",
        r"\n",  # or the shell's prompt follows the answer on its line
        f"{addresses.api}/v1/batches?wait={_WAIT_SECONDS}",
        "-H",
        f"Authorization: Bearer {secret}",
        "-H",
        "Content-Type: application/json",
        "-d",
        json.dumps(SAMPLE),
    ]
    return shlex.join(words)
