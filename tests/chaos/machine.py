"""The stack that faults are injected into: servers and processes of its own, all restartable."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import redis
from sqlalchemy import Connection, Engine

from app.clients.credentials import ClientSecret, create_client
from app.core.settings import load_settings
from app.db import make_engine
from app.db.migrations import upgrade
from app.local.servers import Server, start_postgres, start_valkey
from tests.chaos.messages import Messages, RabbitMessages, RedisMessages
from tests.chaos.rabbit import start_rabbitmq
from tests.support.stack import ROOT, Stack, running_stack

CLOCK = Path(__file__).with_name("clock")
BROKERS = ("redis", "rabbitmq")


@dataclass
class Machine:
    """A running stack with two workers, its servers, and a client.

    `broker`: Valkey itself, or a RabbitMQ beside it.
    """

    home: Path
    postgres: Server
    valkey: Server
    broker: Server
    messages: Messages
    stack: Stack
    engine: Engine
    client: ClientSecret
    workers: list[str] = field(default_factory=lambda: ["worker", "worker-2"])

    @property
    def redis(self) -> Any:
        """A connection to Valkey that gives up soon; to be closed."""
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

    def restart(
        self,
        name: str,
        *,
        clock_off: float = 0.0,
        root: Path = ROOT,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Start process `name` anew; the old one goes on ending, or is dead.

        `clock_off`: by how many seconds its clock is ahead. `root`: where its code lies. `environ`:
        what is different in its environment.
        """
        stack = with_clock(self.stack, clock_off) if clock_off else self.stack
        stack = replace(stack, environ={**stack.environ, **(environ or {})})
        stack.start(name.split("-")[0], name, root=root)

    def replace(self, name: str, **options: Any) -> None:
        """Stop process `name` in order, and start another in its place (`restart`)."""
        self.stack.processes[name].stop()
        self.restart(name, **options)

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


def with_clock(stack: Stack, off: float) -> Stack:
    """The same stack; what is started through it has a clock that is `off` seconds ahead."""
    path = os.pathsep.join((str(CLOCK), stack.environ["PYTHONPATH"]))
    return replace(stack, environ={**stack.environ, "CLOCK_OFF": str(off), "PYTHONPATH": path})


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
def running_machine(
    home: Path, receiver_url: str, *, broker: str = "redis", handlers: str = ""
) -> Iterator[Machine]:
    """A machine on `home`, ready to be submitted to. `broker`: one of BROKERS."""
    with ExitStack() as cleanup:
        postgres = cleanup.enter_context(start_postgres(home))
        valkey = cleanup.enter_context(start_valkey(home))
        queues: Server = valkey
        lists = RedisMessages(valkey.url)
        cleanup.callback(lists.close)
        messages: Messages = lists
        if broker == "rabbitmq":
            queues = cleanup.enter_context(start_rabbitmq(home))
            messages = RabbitMessages(queues.url)
        settings = load_settings(
            {
                "DATABASE_URL": postgres.url,
                "REDIS_URL": valkey.url,
                "BROKER_URL": "" if queues is valkey else queues.url,
                "BATCHLINE_HOME": str(home),
                "HEARTBEAT_INTERVAL": "0.5",
                "HEARTBEAT_TIMEOUT": "3",
                "RESEND_AFTER": "4",
                "SWEEP_INTERVAL": "1",
                "HTTP_HANDLER_BASES": f"receiver={receiver_url}",
            }
        )
        engine = make_engine(settings.database_url or "", name="batchline-chaos", pool_size=10)
        cleanup.callback(engine.dispose)
        upgrade(engine)
        stack = cleanup.enter_context(
            running_stack(
                settings,
                handlers=handlers,
                extra={"HTTP_HANDLER_BASES": f"receiver={receiver_url}"},
            )
        )
        stack.start("worker", "worker-2")
        client = create_client(engine, "chaos")
        yield Machine(home, postgres, valkey, queues, messages, stack, engine, client)
