"""The stack that faults are injected into: servers and processes of its own, all restartable."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from sqlalchemy import Connection, Engine

from app.broker import QUEUES
from app.clients import ClientSecret, create_client
from app.db import make_engine
from app.migrations import upgrade
from app.servers import Server, start_postgres, start_valkey
from app.settings import load_settings
from tests.support.stack import Stack, running_stack, wait_for


@dataclass
class Machine:
    """A running stack with two workers, its servers, and a client."""

    home: Path
    postgres: Server
    valkey: Server
    stack: Stack
    engine: Engine
    client: ClientSecret
    workers: list[str] = field(default_factory=lambda: ["worker", "worker-2"])
    queues: tuple[str, ...] = QUEUES

    @property
    def redis(self) -> Any:
        """A connection to Valkey that gives up soon."""
        return redis.Redis.from_url(self.valkey.url, socket_timeout=5, socket_connect_timeout=5)

    @contextmanager
    def admin(self) -> Iterator[Connection]:
        """A transaction on the database, waiting for it to be there."""
        engine = make_engine(self.stack.settings.database_url or "", name="batchline-chaos")
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()

    def restart(self, name: str) -> None:
        """Start process `name` anew; the old one goes on ending, or is dead."""
        self.stack.start(name.split("-")[0], name)

    def keep_alive(self) -> None:
        """Start what died without being told to, as `batchline serve` does."""
        for name, process in list(self.stack.processes.items()):
            if not process.running:
                self.restart(name)

    def pids(self, name: str) -> list[int]:
        """The processes of `name`, without its guard."""
        return below(self.stack.processes[name].process.pid)

    def pool_children(self, name: str) -> list[int]:
        """A worker's prefork children."""
        return [pid for main in self.pids(name)[:1] for pid in below(main)]

    def server_pids(self, server: Any) -> list[int]:
        """The processes of a server, without its guard."""
        return below(server.guarded.process.pid)


def below(guard: int) -> list[int]:
    """All processes below process `guard`, parents first."""
    found: list[int] = []
    todo = [guard]
    while todo:
        parent = todo.pop(0)
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                pids = [int(pid) for pid in children.read_text().split()]
            except OSError:
                continue  # it has just ended
            found += pids
            todo += pids
    return found


@contextmanager
def running_machine(home: Path, receiver_url: str) -> Iterator[Machine]:
    """A machine on `home`, ready to be submitted to."""
    with ExitStack() as cleanup:
        postgres = cleanup.enter_context(start_postgres(home))
        valkey = cleanup.enter_context(start_valkey(home))
        settings = load_settings(
            {
                "DATABASE_URL": postgres.url,
                "REDIS_URL": valkey.url,
                "BATCHLINE_HOME": str(home),
                "HEARTBEAT_INTERVAL": "0.5",
                "HEARTBEAT_TIMEOUT": "3",
                "RESEND_AFTER": "4",
                "SWEEP_INTERVAL": "1",
                "HTTP_HANDLER_BASES": f"receiver={receiver_url}",
            }
        )
        engine = make_engine(settings.database_url or "", name="batchline-chaos", pool_size=10)
        upgrade(engine)
        stack = cleanup.enter_context(
            running_stack(settings, extra={"HTTP_HANDLER_BASES": f"receiver={receiver_url}"})
        )
        stack.start("worker", "worker-2")
        yield Machine(home, postgres, valkey, stack, engine, create_client(engine, "chaos"))


def seconds_until(condition: Any, *, within: float, what: str) -> float:
    """How long it took until `condition()` was true."""
    began = time.monotonic()
    wait_for(condition, within=within, what=what)
    return time.monotonic() - began
