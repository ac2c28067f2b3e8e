"""The environment that the processes run in."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from app.core.secret_files import SUFFIX
from app.core.settings import Settings, variables_given
from app.local.serve.shipped import ROOT
from app.local.servers import ServerUrls


def shared_environ(settings: Settings, servers: ServerUrls) -> dict[str, str]:
    """The variables that every process needs, and that a shell needs to start another by hand."""
    variables = variables_given(os.environ)
    variables |= {
        "DATABASE_URL": servers.database_url,
        "REDIS_URL": servers.redis_url,
        "BATCHLINE_HOME": str(settings.batchline_home),
        "PORT": str(settings.port),
        "FLOWER_PORT": str(settings.flower_port),
        # The folder of the programs gunicorn, celery and batchline.
        "PATH": str(Path(sys.executable).parent),
    }
    for given in ("DATABASE_URL", "REDIS_URL"):
        # What the file says stands there now.
        variables.pop(f"{given}{SUFFIX}", None)
    if settings.handlers:
        # The user's handlers are found from the folder where they started us; our own packages
        # come first, whatever else that folder holds.
        folders = [str(ROOT), str(Path.cwd()), os.environ.get("PYTHONPATH", "")]
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, folders))
    return variables


def log_format_given() -> bool:
    """Whether somebody has said how processes log. If not, they write objects to a pipe."""
    return os.environ.get("LOG_FORMAT", "").strip().lower() not in ("", "auto")


def child_environ(variables: dict[str, str], *, readable: bool) -> dict[str, str]:
    """The whole environment of a child, from the variables of `shared_environ`.

    `readable`: its log is printed, and nothing else is done with it.
    """
    path = os.pathsep.join([variables["PATH"], os.environ.get("PATH", os.defpath)])
    quieter = {}
    if readable and sys.stdout.isatty() and not log_format_given():
        # They write to a pipe, and would log JSON as for a log collector.
        quieter["LOG_FORMAT"] = "console"
    if os.geteuid() == 0:
        # Silences Celery's warning about root and pickle: no pickled message is accepted here.
        quieter["PYTHONWARNINGS"] = "ignore:You're running the worker with superuser privileges"
    inherited = {
        name: value
        for name, value in os.environ.items()
        if value and not (name.endswith(SUFFIX) and name.removesuffix(SUFFIX) in variables)
    }
    return {**inherited, **variables, **quieter, "PATH": path, "PYTHONUNBUFFERED": "1"}
