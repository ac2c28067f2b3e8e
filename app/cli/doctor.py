"""`batchline doctor`."""

from __future__ import annotations

import os
from dataclasses import asdict

import click

from app.cli.options import as_json, print_json
from app.core.log_lines import print_objects_if_asked

_MARKS = {"ok": "green", "warning": "yellow", "wrong": "red"}


@click.command()
@as_json
def doctor(json_output: bool) -> None:
    """Look at everything that Batchline needs, and say what is wrong and what helps.

    Settings, this machine, Postgres and its schema, Redis, the broker, workers and the sweep: a
    line each. It is to be run where, and as whom, a process runs. What the environment does not say
    is read from BATCHLINE_HOME/env, where a `batchline serve` runs. Nothing is changed. Exit status
    1 where something is wrong. LOG_FORMAT makes no difference: --json does.
    """
    # Lines for whoever asked, also where what processes log is collected: --json asks for objects.
    print_objects_if_asked(but_stdout=True)
    from app.core.envfile import read_env
    from app.core.settings import load_settings
    from app.doctor import examine
    from app.doctor.finding import Level

    settings = load_settings()
    if settings.database_url is None or settings.redis_url is None:
        settings = load_settings({**read_env(settings.batchline_home), **os.environ})
    findings = []
    for finding in examine(settings):
        findings.append(finding)
        if not json_output:
            told = f"{finding.found.rstrip('.')}: {finding.cure}" if finding.cure else finding.found
            mark = click.style(f"{finding.level:<8}", fg=_MARKS[finding.level])
            click.echo(f"{mark} {finding.about:<10} {told}")
    if json_output:
        print_json([asdict(finding) for finding in findings])
    if any(finding.level == Level.WRONG for finding in findings):
        raise SystemExit(1)
