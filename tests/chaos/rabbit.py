"""A RabbitMQ of the tests' own, where it is installed: a node on a folder, stopped at the end.

It shares nothing with a RabbitMQ that may run on the machine: its ports (AMQP, distribution, epmd),
node name, cookie, data, configuration and plugins (none) are its own, and it listens on 127.0.0.1
alone. It runs under a guard, so that neither it nor its epmd outlives the tests.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from functools import partial
from pathlib import Path

import amqp

from app.local.servers.errors import ServerError
from app.local.servers.guarded import Guarded, Spec
from app.local.servers.ports import free_port
from app.local.servers.server import Server, bare_environ, last_lines, open_log

NOT_INSTALLED = "RabbitMQ is not installed (on Debian and Ubuntu: apt-get install rabbitmq-server)"
USER = "batchline"
START_SECONDS = 90.0

_STOP = [("SIGTERM", 15.0), ("SIGKILL", 5.0)]
_ORPHANED = [("SIGKILL", 5.0)]
# Debian's /usr/sbin/rabbitmq-server is not among them: it is a wrapper, which starts the script of
# the same name as the user who owns the machine's RabbitMQ, or refuses.
_SCRIPTS = (
    "/usr/lib/rabbitmq/bin/rabbitmq-server",
    "/opt/rabbitmq/sbin/rabbitmq-server",
    "/opt/homebrew/sbin/rabbitmq-server",
    "/usr/local/sbin/rabbitmq-server",
)


def rabbitmq_script() -> Path | None:
    """The script that starts RabbitMQ in the foreground, or None where it is not installed."""
    known = [*_SCRIPTS, shutil.which("rabbitmq-server")]
    for script in filter(None, known):
        if os.access(script, os.X_OK) and Path(script).resolve().name == "rabbitmq-server":
            return Path(script)
    return None


def start_rabbitmq(home: Path) -> Server:
    """Start a node on `home / "rabbitmq"` and wait until it takes connections (some five seconds).

    Its `url` is `amqp://batchline:password@127.0.0.1:port//`. Raises ServerError.
    """
    script = rabbitmq_script()
    if script is None:
        raise ServerError(NOT_INSTALLED)
    data = home / "rabbitmq"
    data.mkdir(exist_ok=True, mode=0o700)
    return _start(script, data, (free_port(), free_port(), free_port()), secrets.token_hex(12))


def lose_data(home: Path) -> None:
    """Remove all that the (stopped) node of `home` has kept: queues, messages, its own identity."""
    shutil.rmtree(home / "rabbitmq")
    (home / "rabbitmq").mkdir(mode=0o700)


def _start(script: Path, data: Path, ports: tuple[int, int, int], password: str) -> Server:
    port, distribution, epmd = ports
    log_path = data.with_suffix(".log")
    (data / "enabled_plugins").write_text("[].\n")
    (data / "rabbitmq.conf").write_text(
        f"default_user = {USER}\ndefault_pass = {password}\nlog.console.level = warning\n"
    )
    environ = {
        **bare_environ(),
        "HOME": str(data),
        "LC_ALL": "C.UTF-8",
        "ERL_EPMD_PORT": str(epmd),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        # The script is to become the node, so that the guard's signals reach it.
        "RUNNING_UNDER_SYSTEMD": "true",
        "RABBITMQ_NODENAME": f"batchline-{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_MNESIA_BASE": str(data / "mnesia"),
        "RABBITMQ_LOG_BASE": str(data),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(data / "enabled_plugins"),
        "RABBITMQ_CONFIG_FILE": str(data / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(data / "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
    }
    with open_log(log_path) as log:
        begins = log.seek(0, os.SEEK_END)
        spec = Spec([str(script)], _STOP, _ORPHANED, cwd=data, environ=environ)
        guarded = Guarded(spec, output=log)
    try:
        _wait_until_ready(guarded, port, password, log_path, begins)
    except BaseException:
        guarded.stop()
        raise
    again = partial(_start, script, data, ports, password)
    url = f"amqp://{USER}:{password}@127.0.0.1:{port}//"
    return Server("rabbitmq", url, port, log_path, guarded, again)


def _wait_until_ready(
    guarded: Guarded, port: int, password: str, log_path: Path, begins: int
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while guarded.running and time.monotonic() < deadline:
        try:
            with amqp.Connection(f"127.0.0.1:{port}", USER, password, connect_timeout=5):
                return
        except (OSError, amqp.AMQPError):
            time.sleep(0.1)
    raise ServerError(
        f"RabbitMQ did not start. The end of {log_path}:\n{last_lines(log_path, begins)}"
    )
