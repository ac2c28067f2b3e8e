"""A stack of the benchmark's own: new servers in a new folder, and the Procfile's processes."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret, create_client
from app.core.settings import load_settings, variables_given
from app.db import make_engine
from app.db.migrations import upgrade
from app.local.serve.procfile import load_procfile
from app.local.serve.shipped import ROOT
from app.local.servers import start_postgres, start_valkey
from app.local.servers.guarded import Guarded, Spec, Steps
from app.local.servers.ports import free_port

PROCESSES = 2
"""Worker processes, for Batchline and for each of its rivals alike."""
WHOLE = ("web", "worker", "slow", "beat", "flower")
"""Of the Procfile, what `batchline serve` runs: a figure is what an installation would see."""
_WORKER = (
    "celery -A benchmarks.{module} worker -n {name}-$$@%h --queues {name}"
    f" --pool prefork --concurrency {PROCESSES} --loglevel WARNING"
)
BESIDE = {
    "naive": _WORKER.format(module="naive_tasks", name="naive"),
    "chunked": _WORKER.format(module="chunked_tasks", name="chunked")
    + " -O fair --without-gossip --without-mingle",
    "bare": "gunicorn --config python:app.server.gunicorn 'benchmarks.bare:create_app()'",
}
"""What Batchline is compared with, by name."""
_PATIENCE = 60.0
_STOP: Steps = (("SIGTERM", 15.0), ("SIGKILL", 5.0))


@dataclass(frozen=True, slots=True)
class Stack:
    """What runs. `dsn`: Postgres for psycopg2. `log`: the server's.

    `redis`: Batchline's database; `naive_redis` and `chunked_redis`: one of each rival's own.
    `processes`: by their name in the Procfile or in BESIDE, and "postgres" and "redis".
    """

    url: str
    bare_url: str
    dsn: str
    log: Path
    redis: str
    naive_redis: str
    chunked_redis: str
    engine: Engine
    client: ClientSecret
    http: httpx.Client
    processes: dict[str, Guarded]


@contextmanager
def running_stack(
    home: Path | None,
    options: Mapping[str, str],
    *,
    lines: Sequence[str] = WHOLE,
    beside: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
) -> Iterator[Stack]:
    """Start it, with nothing in the tables; stop it, and remove what it wrote.

    `home`: a folder to keep, or None for a temporary one. `options`: Postgres settings on top of
    those of the embedded server. `lines`: of the Procfile. `beside`: of BESIDE. `settings`: of
    Batchline's, by variable.
    """
    with ExitStack() as cleaning:
        folder = home or cleaning.enter_context(_temporary_folder())
        postgres = cleaning.enter_context(start_postgres(folder, options=options))
        valkey = cleaning.enter_context(start_valkey(folder))
        naive_redis, chunked_redis = (
            urlunsplit(urlsplit(valkey.url)._replace(path=path)) for path in ("/1", "/2")
        )
        ports = {name: free_port() for name in ("web", "flower", "bare")}
        environ = _environ(folder, postgres.url, valkey.url) | {
            "NAIVE_REDIS_URL": naive_redis,
            "CHUNKED_REDIS_URL": chunked_redis,
            "PORT": str(ports["web"]),
            "FLOWER_PORT": str(ports["flower"]),
            **(settings or {}),
        }
        engine = make_engine(load_settings(environ).database_url or "", name="batchline-bench")
        cleaning.callback(engine.dispose)
        upgrade(engine)
        client = create_client(engine, "benchmark")
        procfile = load_procfile()
        running = {}
        for name in (*lines, *beside):
            command = BESIDE[name] if name in BESIDE else procfile[name]
            own = environ | ({"PORT": str(ports["bare"])} if name == "bare" else {})
            running[name] = cleaning.enter_context(_process(name, command, own, folder))
        url, bare_url = (f"http://127.0.0.1:{ports[name]}" for name in ("web", "bare"))
        http = cleaning.enter_context(
            httpx.Client(
                base_url=url, headers={"Authorization": f"Bearer {client.secret}"}, timeout=120
            )
        )
        _wait_until_ready(http, running, folder)
        servers = {"postgres": postgres.guarded, "redis": valkey.guarded}
        yield Stack(
            url=url,
            bare_url=bare_url,
            dsn=postgres.url,
            log=postgres.log,
            redis=valkey.url,
            naive_redis=naive_redis,
            chunked_redis=chunked_redis,
            engine=engine,
            client=client,
            http=http,
            processes={**running, **servers},
        )


def _environ(folder: Path, database_url: str, redis_url: str) -> dict[str, str]:
    given = variables_given(os.environ)
    kept = {name: value for name, value in os.environ.items() if name not in given}
    return kept | {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "BATCHLINE_HOME": str(folder),
        "WORKER_CONCURRENCY": str(PROCESSES),
        "LOG_LEVEL": "WARNING",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="batchline-bench-"))
    if os.geteuid() == 0:
        folder.chmod(0o711)  # Postgres, which will not be root, has to enter
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _process(name: str, command: str, environ: dict[str, str], folder: Path) -> Iterator[Guarded]:
    """Under the guard of `batchline serve`: nothing stays behind, whatever happens to us."""
    spec = Spec(["/bin/sh", "-c", f"exec {command}"], _STOP, _STOP, cwd=ROOT, environ=environ)
    with (folder / f"{name}.log").open("ab") as log:
        process = Guarded(spec, output=log)
    try:
        yield process
    finally:
        process.stop()


def _wait_until_ready(http: httpx.Client, running: dict[str, Guarded], folder: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            if http.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        dead = [name for name, process in running.items() if not process.running]
        if dead or time.monotonic() > deadline:
            logs = "\n".join(path.read_text()[-2000:] for path in folder.glob("*.log"))
            raise SystemExit(f"The stack did not get ready. {dead or ''}\n{logs}")
        time.sleep(0.1)
