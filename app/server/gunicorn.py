"""Gunicorn's configuration; the Procfile's line `web` names it.

Threads, because most of a request's time is spent waiting: for Postgres, or for a batch to end
(`?wait=`, Server-Sent Events). There are many, since one that waits costs nothing but some 50 KiB
of memory, and they are made only when they are needed; those who wait may take four of five. One
process serves hundreds of requests a second and uses one core, so there is one for each
(`WEB_WORKERS`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from app.core.log_lines import print_objects_if_asked
from app.core.settings import load_settings
from app.server.bounds import MOST_CONNECTIONS
from app.server.processes import web_processes

print_objects_if_asked()
_settings = load_settings()

# `batchline serve` has bound the port already (so that it is known to be ours before anything
# starts, and stays ours when the web process is restarted) and hands it down.
_inherited = os.environ.get("BATCHLINE_WEB_FD")
bind = f"fd://{_inherited}" if _inherited else f"{_settings.bind_host}:{_settings.port}"

# Whose X-Forwarded-Proto is believed: gunicorn would believe this machine unless it is told. A
# caller by IPv4 on a socket of IPv6 has an address of IPv6.
_proxies = [str(network) for network in _settings.forwarded_allow_ips]
_mapped = [
    f"::ffff:{network.network_address}/{96 + network.prefixlen}"
    for network in _settings.forwarded_allow_ips
    if network.version == 4
]
forwarded_allow_ips = ",".join(_proxies + _mapped)

worker_class = "app.server.worker.WebWorker"
workers = web_processes(_settings)
threads = _settings.web_threads
# Open connections, idle or not, as far as the limit of open files allows.
worker_connections = MOST_CONNECTIONS
keepalive = 75

# A worker that has not come back to its loop for so long is stuck. Threads that are busy with a
# long request do not count: the loop runs beside them.
timeout = 60
graceful_timeout = 10
# The heartbeat is a file that is touched every second: not on a disk that may be slow.
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108

# Each worker makes the application for itself: connections and threads do not survive a fork.
preload_app = False
limit_request_line = 8190
accesslog = None
errorlog = "-"
logger_class = "app.server.logger.WebLogger"
loglevel = _settings.log_level.lower()
proc_name = "batchline-web"
# Its path would be shared by every gunicorn of this user.
control_socket_disable = True


def post_worker_init(worker: Any) -> None:
    """Tell requests that wait for a batch or follow it when the process is to stop."""
    from app.web.watch import ALIVE  # not in the parent process, which answers nothing

    worker.wsgi.extensions[ALIVE] = lambda: worker.alive


def child_exit(_: Any, worker: Any) -> None:
    """The process has ended, so none of the others leaves a connection to it."""
    from app.server.balance import COUNTS

    COUNTS.forget(worker.age)
