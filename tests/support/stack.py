"""Batchline as processes: the lines of the Procfile, on servers that are already there."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from honcho.environ import parse_procfile

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from app.local.servers.guarded import Guarded, Spec
from app.local.servers.ports import free_port

ROOT = Path(__file__).parents[2]
_STOP = [("SIGTERM", 20.0), ("SIGKILL", 5.0)]
_PROCESSES = ("web", "worker", "slow", "beat")


@dataclass
class Stack:
    """A running stack. `processes`: by their name in the Procfile; more can be started.

    `replaced`: those whose name another has taken, dead or on their way out.
    """

    settings: Settings
    environ: dict[str, str]
    url: str
    logs: Path
    processes: dict[str, Guarded] = field(default_factory=dict)
    replaced: list[Guarded] = field(default_factory=list)

    def start(
        self,
        line: str,
        name: str | None = None,
        *,
        before: str = "",
        options: str = "",
        root: Path = ROOT,
    ) -> Guarded:
        """Start the Procfile's `line` as process `name` (the same name unless given).

        `before`: what the shell does first. `options`: more of them, at the end of the line.
        `root`: where the code lies, if elsewhere.
        """
        name = name or line
        procfile = parse_procfile((root / "Procfile").read_text())
        spec = Spec(
            command=["/bin/sh", "-c", f"{before}\nexec {procfile.processes[line]} {options}"],
            stop_steps=_STOP,
            orphan_steps=[("SIGKILL", 5.0)],
            cwd=root,
            environ=self.environ if root == ROOT else {**self.environ, "PYTHONPATH": str(root)},
        )
        if name in self.processes:
            self.replaced.append(self.processes[name])
        with (self.logs / f"{name}.log").open("ab") as log:
            self.processes[name] = Guarded(spec, output=log)
        return self.processes[name]

    def http(self, client: ClientSecret, **options: Any) -> httpx.Client:
        """An HTTP client that sends `client`'s secret."""
        options.setdefault("timeout", 30)
        return httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {client.secret}"}, **options
        )

    def finished(self, http: httpx.Client, batch_id: str, *, within: float = 60) -> dict[str, Any]:
        """The batch once it has ended; fails the test after `within` seconds."""
        deadline = time.monotonic() + within
        while True:
            batch: dict[str, Any] = (
                http.get(f"/v1/batches/{batch_id}", params={"wait": 10}).raise_for_status().json()
            )
            if batch["finishedAt"]:
                return batch
            if time.monotonic() > deadline:
                raise AssertionError(f"not ended within {within} s: {batch}\n{self.tail()}")

    def tail(self, lines: int = 15) -> str:
        """The last lines of each process's log, for a failing test's message."""
        return "\n".join(
            f"--- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
            for log in sorted(self.logs.glob("*.log"))
        )


@contextmanager
def running_stack(
    settings: Settings,
    *,
    handlers: str = "",
    processes: tuple[str, ...] = _PROCESSES,
    extra: Mapping[str, str] | None = None,
) -> Iterator[Stack]:
    """Start `processes`, wait until the API says it is ready, and stop them at the end.

    `extra`: more of their environment.
    """
    port = free_port()
    logs = settings.batchline_home / f"logs-{port}"
    logs.mkdir(parents=True)
    environ = {**environ_of(settings, port, handlers), **(extra or {})}
    stack = Stack(settings, environ, f"http://127.0.0.1:{port}", logs)
    try:
        for name in processes:
            stack.start(name)
        if "web" in processes:
            wait_for(lambda: _ready(stack.url), what=lambda: f"readiness\n{stack.tail()}")
        yield stack
    finally:
        everything = [*stack.processes.values(), *stack.replaced]
        for process in everything:
            process.terminate()
        for process in everything:
            process.stop()


def wait_for(
    condition: Callable[[], Any],
    *,
    within: float = 60,
    what: Callable[[], str] | str = "the condition",
) -> Any:
    """The first true value of `condition`, looked at often; fails after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        if found := condition():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {within} s for {what() if callable(what) else what}")
        time.sleep(0.05)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def environ_of(settings: Settings, port: int, handlers: str) -> dict[str, str]:
    """The environment of a process with those settings."""
    ours = {
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "BROKER_URL": settings.explicit_broker_url or "",
        "BATCHLINE_HOME": str(settings.batchline_home),
        "PORT": str(port),
        "HANDLERS": handlers,
        "HEARTBEAT_INTERVAL": str(settings.heartbeat_interval),
        "HEARTBEAT_TIMEOUT": str(settings.heartbeat_timeout),
        "RESEND_AFTER": str(settings.resend_after),
        "SWEEP_INTERVAL": str(settings.sweep_interval),
        "WEB_WORKERS": "1",
        "WEBHOOK_ALLOW_PRIVATE": "1" if settings.webhook_allow_private else "0",
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
    }
    return {**os.environ, **ours}
