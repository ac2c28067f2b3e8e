"""The supervisor: restarts, giving up, and stopping, with small shell lines for processes."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from app.local.serve import supervisor as module
from app.local.serve.errors import ServeError
from app.local.serve.output import Output
from app.local.serve.supervisor import Supervisor
from app.local.servers import start_valkey

PATIENCE = 20.0


class Recorder(Output):
    """Keeps the lines instead of printing them."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, str]] = []

    def line(self, data: str, name: str = "batchline") -> None:
        self.lines.append((name, data))

    def of(self, name: str) -> list[str]:
        return [text for who, text in self.lines if who == name]


@pytest.fixture
def output() -> Recorder:
    return Recorder()


@pytest.fixture
def supervisor(output: Recorder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr(module, "FIRST_DELAY_SECONDS", 0.02)
    made = Supervisor(dict(os.environ), output)
    yield made
    made.hurry()
    made.stop()


def check_until(supervisor: Supervisor, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        supervisor.check()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_processes_say_is_told_with_their_name(
    supervisor: Supervisor, output: Recorder
) -> None:
    supervisor.start("one", "sh -c 'echo out; echo err >&2; exec sleep 60'")
    check_until(supervisor, lambda: len(output.of("one")) == 2)
    assert sorted(output.of("one")) == ["err", "out"]


def test_release_must_end_well(supervisor: Supervisor, output: Recorder) -> None:
    supervisor.run_to_the_end("release", "echo done")
    assert output.of("release") == ["done"]
    with pytest.raises(ServeError, match="release ended with status 3"):
        supervisor.run_to_the_end("release", "sh -c 'exit 3'")


def test_a_process_that_dies_is_started_again(supervisor: Supervisor, output: Recorder) -> None:
    supervisor.start("one", "sh -c 'echo $$; exec sleep 60'")
    check_until(supervisor, lambda: len(output.of("one")) == 1)
    psutil.Process(int(output.of("one")[0])).kill()
    check_until(supervisor, lambda: len(output.of("one")) == 2)
    assert any("one was ended by SIGKILL; starting it again" in t for t in output.of("batchline"))


def test_one_that_keeps_dying_ends_it_all_with_its_last_words(
    supervisor: Supervisor, output: Recorder
) -> None:
    supervisor.start("fine", "sleep 60")
    supervisor.start("broken", "sh -c 'echo because of this; exit 7'")
    with pytest.raises(ServeError) as caught:
        check_until(supervisor, lambda: False)
    assert "broken ended with status 7" in str(caught.value)
    assert "because of this" in str(caught.value)
    assert len(output.of("broken")) == module.RESTARTS + 1


def test_what_is_to_start_again_ends_in_order_and_is_no_death(
    supervisor: Supervisor, output: Recorder
) -> None:
    on_term = 'trap "sleep 0.2; echo ended; exit 0" TERM'
    supervisor.start("again", f"sh -c '{on_term}; echo begun; while :; do sleep 0.05; done'")
    supervisor.start("other", "sh -c 'echo begun; sleep 1000'")
    for times in range(1, 9):  # more often than a process may die
        check_until(supervisor, lambda: output.of("again").count("begun") == times)  # noqa: B023
        supervisor.restart("again", "no such name")
    check_until(supervisor, lambda: output.of("again").count("begun") == 9)
    assert output.of("again").count("ended") == 8
    check_until(supervisor, lambda: output.of("other") == ["begun"])
    assert output.of("batchline") == []


def test_stop_leaves_nothing(supervisor: Supervisor, output: Recorder) -> None:
    supervisor.start("tree", "sh -c 'sleep 60 & setsid sleep 61 & echo $$; wait'")
    check_until(supervisor, lambda: len(output.of("tree")) == 1)
    root = psutil.Process(int(output.of("tree")[0]))
    family = [root, *root.children(recursive=True)]
    supervisor.stop()
    assert not [process for process in family if process.is_running()]


def test_hurry_does_not_wait(supervisor: Supervisor, output: Recorder) -> None:
    import threading

    supervisor.start("deaf", "sh -c 'trap \"\" TERM; echo up; while :; do sleep 1; done'")
    check_until(supervisor, lambda: output.of("deaf") == ["up"])
    begun = time.monotonic()
    stopping = threading.Thread(target=supervisor.stop)
    stopping.start()
    while stopping.is_alive():
        supervisor.hurry()
        stopping.join(0.2)
    assert time.monotonic() - begun < module.STOP_SECONDS


def test_a_descriptor_is_handed_down(supervisor: Supervisor, output: Recorder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.set_inheritable(True)
        line = "sh -c 'readlink /proc/self/fd/$NUMBER; exec sleep 60'"
        supervisor.start("heir", line, hand_down=("NUMBER", listener.fileno()))
        check_until(supervisor, lambda: len(output.of("heir")) == 1)
        assert output.of("heir")[0] == os.readlink(f"/proc/self/fd/{listener.fileno()}")


def test_an_embedded_server_that_dies_is_started_again(output: Recorder, tmp_path: Path) -> None:
    with start_valkey(tmp_path) as server:
        supervisor = Supervisor(dict(os.environ), output, [server])
        supervisor.check()
        url = server.url
        psutil.Process(server.guarded.process.pid).children()[0].kill()
        check_until(supervisor, lambda: bool(output.lines))
        assert server.running
        assert server.url == url
        assert "valkey was ended by SIGKILL; starting it again" in output.of("batchline")
