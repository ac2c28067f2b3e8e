"""Keeps the processes running: one that dies is started again, one that keeps dying ends it all."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from app.local.serve.errors import ServeError
from app.local.serve.output import Output
from app.local.serve.shipped import ROOT
from app.local.servers import Server, ServerError
from app.local.servers.guarded import Guarded, Spec, Steps

# Requests and slices under way are finished; what takes longer is given up, and found again by
# the next start.
STOP_SECONDS = 15.0
ORPHAN_STEPS: Steps = (("SIGTERM", 4.0), ("SIGKILL", 5.0))

RESTARTS = 5
WINDOW_SECONDS = 60.0
FIRST_DELAY_SECONDS = 0.5  # doubled each time
LAST_LINES = 20
CHECK_SECONDS = 0.2


class _Restarts:
    """How often something was started again lately, and when it may be next."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def next_delay(self) -> float | None:
        """Seconds to wait before the next start; None if there were too many."""
        now = time.monotonic()
        while self._times and now - self._times[0] > WINDOW_SECONDS:
            self._times.popleft()
        if len(self._times) >= RESTARTS:
            return None
        delay = FIRST_DELAY_SECONDS * 2 ** len(self._times)
        self._times.append(now)
        return float(delay)


class _Child:
    """One process of the Procfile."""

    def __init__(
        self,
        name: str,
        line: str,
        environ: Mapping[str, str],
        output: Output,
        stop_seconds: float,
        inherit: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.restarts = _Restarts()
        self.start_at: float | None = None
        # It was told to end, to be started again.
        self.again = False
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._output = output
        self._inherit = inherit
        # `exec`, so that signals reach the program and not a shell around it.
        command = ["/bin/sh", "-c", f"exec {line}"]
        stop_steps: Steps = (("SIGTERM", stop_seconds), ("SIGKILL", 5.0))
        self._spec = Spec(command, stop_steps, ORPHAN_STEPS, cwd=ROOT, environ=environ)
        self.guarded = self._start()

    def start_again(self) -> None:
        self.start_at = None
        self.again = False
        self.last_lines.clear()
        self.guarded = self._start()

    def _start(self) -> Guarded:
        guarded = Guarded(self._spec, output=subprocess.PIPE, inherit=self._inherit)
        self.reader = threading.Thread(
            target=self._read, args=(guarded,), name=f"output-{self.name}", daemon=True
        )
        self.reader.start()
        return guarded

    def _read(self, guarded: Guarded) -> None:
        assert guarded.stdout is not None  # noqa: S101 (started with a pipe)
        with guarded.stdout as lines:
            for line in lines:
                text = line.decode(errors="replace").rstrip()
                self.last_lines.append(text)
                self._output.line(text, self.name)


class Supervisor:
    """Starts shell lines, each under a guard, and watches over them and over embedded servers.

    `stop_seconds`: how long each has to end when it is told to.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        output: Output,
        servers: Sequence[Server] = (),
        *,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        self._stop_seconds = stop_seconds
        self._environ = environ
        self._output = output
        self._children: list[_Child] = []
        self._servers = [(server, _Restarts()) for server in servers]

    def run_to_the_end(self, name: str, line: str) -> None:
        """Run a line that ends by itself. Raises ServeError unless it ends well."""
        child = _Child(name, line, self._environ, self._output, self._stop_seconds)
        self._children.append(child)
        status = child.guarded.wait()
        child.reader.join()
        self._children.remove(child)
        if status != 0:
            raise ServeError(f"{name} {_ended(status)}")

    def start(self, name: str, line: str, *, hand_down: tuple[str, int] | None = None) -> None:
        """Start a line and keep it running.

        `hand_down`: a descriptor that it inherits, and the variable that tells it the number.
        """
        environ = self._environ
        inherit: tuple[int, ...] = ()
        if hand_down is not None:
            variable, descriptor = hand_down
            environ, inherit = {**environ, variable: str(descriptor)}, (descriptor,)
        self._children.append(
            _Child(name, line, environ, self._output, self._stop_seconds, inherit)
        )

    def watch(self, meanwhile: Callable[[], None] = lambda: None) -> NoReturn:
        """Keep everything running until a signal, and call `meanwhile` five times a second.

        Raises ServeError if a process keeps dying.
        """
        while True:
            self.check()
            meanwhile()
            time.sleep(CHECK_SECONDS)

    def restart(self, *names: str) -> None:
        """Have the processes of these names end in order, and start again. Returns at once."""
        for child in self._children:
            if child.name not in names:
                continue
            child.restarts = _Restarts()
            if child.guarded.exit_status is None:
                child.again = True
                child.guarded.terminate()
            else:
                child.start_at = time.monotonic()

    def check(self) -> None:
        """Start again what has died, after its pause. Raises ServeError if it died too often."""
        for server, restarts in self._servers:
            if not server.running:
                self._revive(server, restarts)
        for child in self._children:
            status = child.guarded.exit_status
            if status is None:
                continue
            if child.start_at is None:
                child.guarded.wait()
                child.reader.join()
                if child.again:
                    child.start_again()
                    continue
                delay = child.restarts.next_delay()
                if delay is None:
                    raise ServeError(self._last_words(child, status))
                self._output.line(
                    f"{child.name} {_ended(status)}; starting it again in {delay:g} s"
                )
                child.start_at = time.monotonic() + delay
            elif time.monotonic() >= child.start_at:
                child.start_again()

    def _revive(self, server: Server, restarts: _Restarts) -> None:
        status = server.guarded.exit_status or 0
        if restarts.next_delay() is None:
            raise ServeError(f"{server.name} {_ended(status)} too often; its log is {server.log}")
        self._output.line(f"{server.name} {_ended(status)}; starting it again")
        try:
            server.revive()
        except ServerError as error:
            raise ServeError(str(error)) from error

    def _last_words(self, child: _Child, status: int) -> str:
        said = "\n".join(f"  {line}" for line in child.last_lines) or "  (nothing)"
        return (
            f"{child.name} {_ended(status)}, for the {RESTARTS + 1}th time within "
            f"{WINDOW_SECONDS:.0f} s. The last it said:\n{said}"
        )

    def stop(self) -> None:
        """Stop all processes together, and wait until nothing of them is left."""
        for child in self._children:
            child.guarded.terminate()
        for child in self._children:
            child.guarded.wait()
            child.reader.join()

    def hurry(self) -> None:
        """While `stop` waits: do not wait for what is under way. Returns at once."""
        for child in self._children:
            child.guarded.terminate()


def _ended(status: int) -> str:
    if status > 128:
        try:
            return f"was ended by {signal.Signals(status - 128).name}"
        except ValueError:
            pass
    return f"ended with status {status}"
