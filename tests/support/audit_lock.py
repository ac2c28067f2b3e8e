"""`make audit`: what is known against the packages that the lock files pin.

Fails where something is known. Where the index does not answer, or knows none of the packages (a
mirror, a machine without a network), it says so and passes: a gate must not depend on a server
elsewhere.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

import click

LOCKS = ("requirements.lock", "requirements-dev.lock")


@dataclass
class Audit:
    """What was found. `looked_at`: packages that the index knew. `known`: a line a weakness."""

    looked_at: int = 0
    known: list[str] = field(default_factory=list)
    why_not: str = ""


def audit_of(output: str, errors: str) -> Audit:
    """What pip-audit's JSON says, or why there is none."""
    try:
        found: dict[str, Any] = json.loads(output)
    except ValueError:
        return Audit(why_not=(errors.strip().splitlines() or ["it said nothing"])[-1])
    audit = Audit()
    for package in found["dependencies"]:
        if "skip_reason" in package:
            audit.why_not = package["skip_reason"]
            continue
        audit.looked_at += 1
        for known in package["vulns"]:
            mended = ", ".join(known["fix_versions"]) or "no release yet"
            audit.known.append(
                f"{package['name']} {package['version']}: {known['id']}, mended in {mended}"
            )
    return audit


def main() -> int:
    """Audit each lock file, and print what came of it. 1 if something is known, else 0."""
    failed = False
    for lock in LOCKS:
        run = subprocess.run(
            [
                *(sys.executable, "-m", "pip_audit", "--requirement", lock, "--require-hashes"),
                *("--disable-pip", "--format", "json", "--progress-spinner", "off"),
                *("--timeout", "15"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        audit = audit_of(run.stdout, run.stderr)
        failed = failed or bool(audit.known)
        click.echo(
            f"{lock}: {audit.looked_at} packages looked at, {len(audit.known)} weaknesses known"
        )
        for line in audit.known:
            click.echo(f"  {line}")
        if not audit.looked_at:
            click.echo(f"  not looked at: {audit.why_not}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
