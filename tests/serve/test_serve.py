"""`batchline serve`, for real: from its first start to whatever may end it."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from app.local.servers.guarded import GUARD
from tests.handlers.test_outside_package import installed

ROOT = Path(__file__).parents[2]
BATCHLINE = str(Path(sys.executable).with_name("batchline"))
READY_SECONDS = 90.0
GONE_SECONDS = 40.0

pytestmark = pytest.mark.timeout(300)


class Served:
    """One run of `batchline serve` on `home`, and what it printed."""

    def __init__(
        self,
        home: Path,
        *args: str,
        launcher: str | None = None,
        program: str = BATCHLINE,
        **environ: str,
    ) -> None:
        self.home = home
        self.lines: list[str] = []
        self._new: queue.Queue[str | None] = queue.Queue()
        command = [program, "serve", *args]
        self.process = subprocess.Popen(
            [sys.executable, "-c", launcher, *command] if launcher else command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=home.parent,  # anywhere but the project's folder
            env={
                **os.environ,
                "BATCHLINE_HOME": str(home),
                "PORT": "0",
                "FLOWER_PORT": "0",
                **environ,
            },
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def close(self) -> None:
        """Once everything of it is gone."""
        self.process.wait(GONE_SECONDS)
        self._reader.join(GONE_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._new.put(line.rstrip("\n"))
        self._new.put(None)

    def wait_for(self, pattern: str, within: float = READY_SECONDS) -> re.Match[str]:
        """The first line from here on in which `pattern` is found."""
        deadline = time.monotonic() + within
        while True:
            try:
                line = self._new.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                text = "\n".join(self.lines[-60:])
                raise AssertionError(f"no {pattern!r} in what it printed:\n{text}")
            self.lines.append(line)
            if match := re.search(pattern, line):
                return match

    def wait_until_ready(self) -> Served:
        self.wait_for(r"^Batchline is ready")
        self.api = self.wait_for(r"^  API +(http://[\d.:]+)/v1$")[1]
        self.docs = self.wait_for(r"^  docs +(\S+)$")[1]
        self.flower = self.wait_for(r"^  Flower +(\S+)$")[1]
        self.wait_for(r"^  logs +(\S+)")
        self.curl = self.wait_for(r"^  (curl .*)$")[1]
        match = re.search(r"Bearer (\w\S+?)['\"]", self.curl)
        assert match is not None
        self.secret = match[1]
        self.worker_line = self.wait_for(r"^  (celery .* worker .*)$")[1]
        # What it says in the end.
        self.wait_for(r"^Ctrl-C stops everything")
        self.console = self.wait_for(r"^  (http\S+)$")[1]
        return self

    def http(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.secret}"}
        return httpx.Client(base_url=self.api, headers=headers, timeout=30)

    def processes(self) -> list[psutil.Process]:
        """Everything that runs for this BATCHLINE_HOME, but for who is asking."""
        return [found for found in find_processes(self.home) if found.pid != os.getpid()]

    def end(self, number: int) -> int:
        """Send signal `number`, wait for the end, and see that nothing is left."""
        running = self.processes()
        assert len(running) > 10
        self.process.send_signal(number)
        status = self.process.wait(GONE_SECONDS)
        self.assert_all_gone(running)
        return status

    def assert_all_gone(self, processes: list[psutil.Process]) -> None:
        _, alive = psutil.wait_procs(processes, timeout=GONE_SECONDS)
        assert not alive
        assert not self.processes()


def find_processes(home: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            told = process.environ().get("BATCHLINE_HOME") == str(home)
            if (
                told
                or str(home) in " ".join(process.cmdline())
                or process.cwd().startswith(f"{home}/")
            ):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start `batchline serve`; at the end of the test everything of it is killed."""
    home = tmp_path / "a home"
    started: list[Served] = []

    def start(*args: str, **environ: str) -> Served:
        started.append(Served(home, *args, **environ))
        return started[-1]

    yield start
    for process in find_processes(home):
        try:
            process.kill()
        except psutil.Error:
            continue
    for one in started:
        one.close()


def shell(line: str, home: Path) -> Any:
    """What `line` prints as JSON, in a shell that has sourced the env file of `home`."""
    script = f'set -a; . "{home}/env"; set +a; {line}'
    bare = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(
        ["/bin/sh", "-c", script], capture_output=True, text=True, env=bare, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def finished(http: httpx.Client, batch_id: str, within: float = 60) -> dict[str, Any]:
    deadline = time.monotonic() + within
    while True:
        batch: dict[str, Any] = http.get(f"/v1/batches/{batch_id}", params={"wait": 10}).json()
        if batch["finishedAt"]:
            return batch
        assert time.monotonic() < deadline, batch


def submit(http: httpx.Client, operation: str, items: list[Any]) -> str:
    answer = http.post("/v1/batches", json={"operation": operation, "items": items})
    assert answer.status_code == 202, answer.text
    batch_id: str = answer.json()["id"]
    return batch_id


def masterlist(number: int) -> list[dict[str, Any]]:
    return [{"asin": f"A{n}", "countryCode": "US", "percACoS": 1.5} for n in range(number)]


@pytest.mark.whole
def test_from_the_first_start_to_ctrl_c(serve: Callable[..., Served]) -> None:
    served = serve("--examples").wait_until_ready()
    said = "\n".join(served.lines)
    assert re.search(r"SUCCESS +nightly feed: 3,000 completed of 3,000", said)
    assert re.search(r"PARTIAL +quartile with mistakes: 2 completed, 3 invalid of 5", said)
    # What processes log is in files, and beside it there is nothing worth a line.
    assert not [line for line in served.lines if re.search(r" (web|worker|slow|flower) +\|", line)]
    logged = (served.home / "log" / "web.log").read_text()
    assert '"path": "/v1/batches"' in logged
    assert served.secret not in logged

    assert httpx.get(f"{served.api}/").headers["Location"] == "/console"
    assert served.console == f"{served.api}/console"
    assert "Secret" in httpx.get(served.console).text
    assert httpx.get(f"{served.api}/healthz").is_success
    assert httpx.get(served.docs).is_success
    assert httpx.get(f"{served.flower}/healthcheck").is_success

    # The curl works when pasted, and the command line without being told anything more.
    batch = shell(served.curl, served.home)
    assert (batch["status"], batch["summary"]["completed"]) == ("SUCCESS", 2)
    assert shell(f"batchline status {batch['id']} --json", served.home)["status"] == "SUCCESS"
    made = shell("batchline clients create another --json", served.home)
    assert made["secret"] != served.secret

    # Nobody but the owner may read what holds secrets.
    for name in ("env", "demo-client.json"):
        assert (served.home / name).stat().st_mode & 0o077 == 0

    assert served.end(signal.SIGINT) == 0
    assert "everything is stopped" in served.wait_for("everything is stopped").string


@pytest.mark.whole
def test_another_worker_by_hand_takes_its_share(serve: Callable[..., Served]) -> None:
    served = serve("--demo").wait_until_ready()
    script = f'set -a; . "{served.home}/env"; set +a; cd "{ROOT}"; exec {served.worker_line}'
    bare = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    with served.http() as http:
        hands = [
            subprocess.Popen(["/bin/sh", "-c", script], env=bare, stderr=subprocess.PIPE)
            for _ in range(2)
        ]
        try:
            names = wait_for_workers(served, 4)
            assert len(names) == 4  # two by hand, and worker and slow
            batch = finished(http, submit(http, "catalog.masterlist", masterlist(20_000)))
            assert batch["summary"]["completed"] == 20_000
        finally:
            for hand in hands:
                hand.terminate()
            for hand in hands:
                hand.communicate(timeout=GONE_SECONDS)
    assert served.end(signal.SIGTERM) == 0


def wait_for_workers(served: Served, number: int) -> set[str]:
    """The names of the workers that Flower sees, once there are `number` of them."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        page = httpx.get(f"{served.flower}/metrics").text
        pattern = r'flower_worker_online\{worker="([^"]+)"\} 1'
        names = set(re.findall(pattern, page))
        if len(names) >= number:
            return names
        assert time.monotonic() < deadline, names
        time.sleep(0.2)


@pytest.mark.whole
def test_kill_9_leaves_no_process_and_all_data(serve: Callable[..., Served]) -> None:
    begun = time.monotonic()
    first = serve("--demo").wait_until_ready()
    first_took = time.monotonic() - begun
    with first.http() as http:
        batch_id = submit(http, "catalog.masterlist", masterlist(50_000))
        running = first.processes()
        first.process.kill()
    first.process.wait()

    # At once, beside what is still ending.
    begun = time.monotonic()
    second = serve("--demo").wait_until_ready()
    assert time.monotonic() - begun < max(30, 2 * first_took)
    first_ones = {process.pid for process in running}
    assert not first_ones & {process.pid for process in second.processes()}
    assert second.secret == first.secret
    assert second.curl.replace(second.api, first.api) == first.curl
    with second.http() as http:
        batch = finished(http, batch_id)
    assert (batch["status"], batch["summary"]["completed"]) == ("SUCCESS", 50_000)
    assert second.end(signal.SIGTERM) == 0


LAUNCHER = """
import signal, subprocess, sys
subprocess.Popen(sys.argv[1:])
signal.pause()
"""


@pytest.mark.whole
def test_the_death_of_its_parent_ends_it(serve: Callable[..., Served]) -> None:
    served = serve("--demo", launcher=LAUNCHER).wait_until_ready()
    running = served.processes()
    served.process.kill()
    served.process.wait()
    served.wait_for("stopping: SIGTERM")
    served.assert_all_gone(running)


@pytest.mark.whole
def test_whatever_dies_is_started_again(serve: Callable[..., Served]) -> None:
    served = serve("--demo").wait_until_ready()
    marks = {
        "web": "exec gunicorn",
        "worker": " -n worker-",
        "slow": " -n slow-",
        "beat": " beat ",
        "flower": " flower ",
        "postgres": "/bin/postgres",
        "valkey": "/valkey-server",
    }
    with served.http() as http:
        for name, mark in marks.items():
            guarded_process(served, mark).kill()
            served.wait_for(rf"{name} was ended by SIGKILL; starting it again")
        deadline = time.monotonic() + READY_SECONDS
        while not (ready := http.get("/readyz")).is_success:
            assert time.monotonic() < deadline, ready.text
            time.sleep(0.1)
        batch = finished(http, submit(http, "catalog.masterlist", masterlist(100)))
    assert batch["status"] == "SUCCESS"
    assert served.end(signal.SIGTERM) == 0


def guarded_process(served: Served, mark: str) -> psutil.Process:
    """The process under the guard whose command has `mark` in it."""
    for process in served.processes():
        command = process.cmdline()
        if command[3:4] == [str(GUARD)] and mark in command[4]:
            return process.children()[0]
    raise AssertionError(mark)


@pytest.mark.whole
def test_two_on_one_home_is_refused_in_a_line(serve: Callable[..., Served]) -> None:
    first = serve("--demo").wait_until_ready()
    second = serve()
    line = second.wait_for("^Error: ")
    assert f"in use by process {first.process.pid}: stop that first, or set" in line.string
    assert second.process.wait(GONE_SECONDS) == 1
    with first.http() as http:
        assert http.get("/readyz").is_success
    assert first.end(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "eighty"),
        ("DATABASE_URL", "postgresql://127.0.0.1:1/none"),
        ("HANDLERS", "no_such_module"),
    ],
)
def test_a_wrong_value_is_named_before_anything_starts(
    serve: Callable[..., Served], variable: str, value: str
) -> None:
    served = serve(**{variable: value})
    assert served.process.wait(READY_SECONDS) == 1
    assert served.wait_for("^Error: ").string.startswith(f"Error: {variable}: ")
    assert not served.home.exists()


@pytest.mark.parametrize("option", ["--demo", "--reload"])
def test_an_installed_package_is_looked_at_before_anything_starts(
    serve: Callable[..., Served], tmp_path: Path, option: str
) -> None:
    package = installed(tmp_path, module="import nowhere_at_all")
    served = serve(option, PYTHONPATH=f"{ROOT}{os.pathsep}{package}")
    assert served.process.wait(READY_SECONDS) == 1
    assert "of the installed package acme-batchline" in served.wait_for("^Error: ").string
    assert not served.home.exists()
