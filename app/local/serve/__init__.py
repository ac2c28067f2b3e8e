"""`batchline serve`: everything on one machine, in one command.

Every process is started under a guard (`app.local.servers.guard`), so that none outlives this
one, however it ends.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import NoReturn

from rich.console import Console

from app.core.envfile import write_env
from app.core.errors import BatchlineError
from app.core.settings import Settings, flower_is_open, load_settings
from app.local.serve.addresses import Addresses, announce
from app.local.serve.demo import demo_client
from app.local.serve.environment import child_environ, log_format_given, shared_environ
from app.local.serve.errors import ServeError
from app.local.serve.examples import submit_examples
from app.local.serve.log_files import LogFiles
from app.local.serve.output import Output
from app.local.serve.preflight import check_given_servers, check_handlers, listen, reserve
from app.local.serve.procfile import load_procfile
from app.local.serve.reloading import Reloader, Watched
from app.local.serve.stop_signals import Stopper, StopRequested
from app.local.serve.supervisor import STOP_SECONDS, Supervisor
from app.local.servers import embedded_servers
from app.local.servers.lock import take_lock
from app.local.servers.server import make_home
from batchline.client.api import Api
from batchline.client.errors import ClientError

READY_SECONDS = 90.0
READY_POLL_SECONDS = 0.3
FLOWER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What `serve` is asked for beside serving.

    `demo`: make the demo client, and print its secret. `examples`: as that client submit the
    batches in `examples/` once everything is up. `verbose`: print all that processes say.
    `reload`: start web and workers again when handlers change.
    """

    demo: bool = False
    examples: bool = False
    verbose: bool = False
    reload: bool = False


def run(asked: Asked) -> int:
    """Serve until told to stop. Returns the exit status: 0 if told, 1 if something gave up.

    Raises BatchlineError for what is wrong before anything is started.
    """
    output = Output()
    stack = ExitStack()
    with Stopper() as stopper:
        try:
            _start(load_settings(), asked, stack, stopper, output)
        except (StopRequested, ServeError) as reason:
            output.line(f"stopping: {reason}")
            told = isinstance(reason, StopRequested)
        finally:
            # From here on a signal only makes the stop faster.
            stopper.begin()
            stack.close()
        output.line("everything is stopped")
        return 0 if told else 1


def _start(
    settings: Settings,
    asked: Asked,
    stack: ExitStack,
    stopper: Stopper,
    output: Output,
) -> NoReturn:
    procfile = load_procfile()
    check_handlers(settings)
    watched = Watched.of(settings) if asked.reload else None
    flower_is_open(settings)
    check_given_servers(settings)
    home = make_home(settings.batchline_home)
    stack.callback(os.close, take_lock(home / "serve.lock", f"BATCHLINE_HOME {home}"))
    web_socket = stack.enter_context(listen(settings.bind_host, settings.port))
    flower_socket = stack.enter_context(reserve("FLOWER_PORT", settings.flower_port))
    settings = replace(
        settings,
        port=web_socket.getsockname()[1],
        flower_port=flower_socket.getsockname()[1],
    )
    addresses = Addresses.of(settings)
    files = None if asked.verbose or log_format_given() else LogFiles(home / "log")
    if files is not None:
        stack.callback(files.close)
        output.keep_in(files)

    output.line("starting the servers" if _embeds(settings) else "using the servers given")
    servers = stack.enter_context(embedded_servers(settings))
    settings = settings.with_servers(database_url=servers.database_url, redis_url=servers.redis_url)
    variables = shared_environ(settings, servers)
    write_env(home, {**variables, "BATCHLINE_URL": addresses.api})

    environ = child_environ(variables, readable=files is None)
    supervisor = Supervisor(
        environ,
        output,
        servers.embedded,
        # Longer than a worker takes to stop by itself, so that it is not killed.
        stop_seconds=max(STOP_SECONDS, settings.worker_stop_seconds + 5),
    )
    stopper.hurry_by(supervisor.hurry)
    stack.callback(supervisor.stop)
    release = procfile.pop("release", None)
    if release:
        supervisor.run_to_the_end("release", release)
    flower = procfile.pop("flower", None)
    for name, line in procfile.items():
        if name == "web":
            supervisor.start(name, line, hand_down=("BATCHLINE_WEB_FD", web_socket.fileno()))
        else:
            supervisor.start(name, line)

    secret = demo_client(settings).secret if asked.demo or asked.examples else None
    known = {"BATCHLINE_URL": addresses.api} | ({"BATCHLINE_SECRET": secret} if secret else {})
    env_file = write_env(home, {**variables, **known})
    with Api(addresses.api, secret) as api:
        _wait_until_ready(api, supervisor)
        if flower:
            # Flower asks workers about themselves as it starts, and warns where none answers.
            supervisor.start("flower", flower)
        if asked.examples:
            submit_examples(api, Console(), meanwhile=supervisor.check)
        if flower:
            _wait_for_flower(addresses, supervisor)
        announce(
            addresses,
            api,
            output,
            secret=secret,
            env_file=env_file,
            logs=None if files is None else files.folder,
            worker_line=procfile.get("worker"),
        )
    if watched is not None:
        with Reloader(watched, environ, supervisor, output) as reloader:
            supervisor.watch(reloader.look)
    supervisor.watch()


def _embeds(settings: Settings) -> bool:
    return settings.database_url is None or settings.redis_url is None


def _wait_until_ready(api: Api, supervisor: Supervisor) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not api.ready():
        supervisor.check()
        if time.monotonic() > deadline:
            raise ServeError(f"not ready after {READY_SECONDS:.0f} s: {_unready(api)}")
        time.sleep(READY_POLL_SECONDS)


def _wait_for_flower(addresses: Addresses, supervisor: Supervisor) -> None:
    """So that its address works when it is printed; it is not worth failing for."""
    deadline = time.monotonic() + FLOWER_SECONDS
    with Api(addresses.flower) as flower:
        while not flower.offers("/healthcheck") and time.monotonic() < deadline:
            supervisor.check()
            time.sleep(READY_POLL_SECONDS)


def _unready(api: Api) -> str:
    try:
        api.get("/readyz")
    except (BatchlineError, ClientError) as error:
        return str(error)
    return "it became so just now"
