"""The guard: what it starts ends with it, with its parent, and with all that it left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from app.local.servers.guarded import Guarded, RunAs, Spec

TERM_THEN_KILL = (("SIGTERM", 5.0), ("SIGKILL", 5.0))

# Prints its own number and that of a child, which ignores SIGTERM and has left the process group.
FAMILY = """
import os, signal, sys, time
child = os.fork()
if child == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(60)
print(os.getpid(), child, flush=True)
{then}
"""
WAIT = "signal.pause()"


_started: list[Guarded] = []


@pytest.fixture(autouse=True)
def _stopped() -> Iterator[None]:
    """Nothing is left open of what a test started."""
    yield
    while _started:
        guarded = _started.pop()
        guarded.wait(20)
        assert guarded.stdout is not None
        guarded.stdout.close()


def start(command: list[str], **spec: object) -> Guarded:
    steps = {"stop_steps": TERM_THEN_KILL, "orphan_steps": TERM_THEN_KILL} | spec
    guarded = Guarded(Spec(command, **steps), output=subprocess.PIPE)  # type: ignore[arg-type]
    _started.append(guarded)
    return guarded


def python(code: str, **spec: object) -> Guarded:
    return start([sys.executable, "-I", "-S", "-c", code], **spec)


def read_family(guarded: Guarded) -> list[psutil.Process]:
    assert guarded.stdout is not None
    return [psutil.Process(int(pid)) for pid in guarded.stdout.readline().split()]


def assert_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert not alive


def test_the_exit_status_is_the_commands() -> None:
    assert python("raise SystemExit(7)").wait(20) == 7
    assert python("import os; os.kill(os.getpid(), 9)").wait(20) == 128 + signal.SIGKILL


def test_a_command_that_cannot_be_run_says_why() -> None:
    guarded = start(["/no/such/program"])
    assert guarded.wait(20) == 127
    assert guarded.stdout is not None
    assert b"cannot run /no/such/program" in guarded.stdout.read()


def test_stop_leaves_no_descendant() -> None:
    guarded = python(FAMILY.format(then=WAIT))
    family = read_family(guarded)
    assert guarded.stop() == 128 + signal.SIGTERM
    assert not guarded.running
    assert_gone(family)


def test_a_command_that_dies_leaves_no_descendant() -> None:
    guarded = python(FAMILY.format(then=WAIT))
    family = read_family(guarded)
    family[0].kill()
    assert guarded.wait(20) == 128 + signal.SIGKILL
    assert_gone(family)


def test_a_command_that_does_not_listen_is_killed() -> None:
    stubborn = "import signal; signal.signal(15, signal.SIG_IGN)\n" + FAMILY.format(then=WAIT)
    guarded = python(stubborn, stop_steps=(("SIGTERM", 0.2), ("SIGKILL", 5.0)))
    family = read_family(guarded)
    assert guarded.stop() == 128 + signal.SIGKILL
    assert_gone(family)


def test_a_second_terminate_goes_on_to_the_next_step_at_once() -> None:
    stubborn = "import signal; signal.signal(15, signal.SIG_IGN)\n" + FAMILY.format(then=WAIT)
    guarded = python(stubborn, stop_steps=(("SIGTERM", 3600.0), ("SIGKILL", 5.0)))
    family = read_family(guarded)
    guarded.terminate()
    while guarded.running:  # the first may still be on its way, and the two be taken for one
        guarded.terminate()
        try:
            guarded.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
    assert_gone(family)


def test_when_the_guard_is_killed_the_command_gets_its_signal() -> None:
    guarded = python(FAMILY.format(then=WAIT))
    family = read_family(guarded)
    guarded.process.kill()
    assert_gone(family[:1])
    family[1].kill()  # a stubborn descendant of a killed guard is beyond anyone's reach


OWNER = """
import subprocess, sys, os, signal
sys.path.insert(0, {root!r})
from app.local.servers.guarded import Guarded, Spec
steps = (("SIGTERM", 5.0), ("SIGKILL", 5.0))
code = {code!r}
guarded = Guarded(Spec([sys.executable, "-c", code], steps, steps))
if os.fork() == 0:  # holds our end of the guard's pipe open, as any fork of ours would
    signal.pause()
signal.pause()
"""


def test_when_its_owner_is_killed_nothing_is_left() -> None:
    root = str(Path(__file__).parents[2])
    code = OWNER.format(root=root, code=FAMILY.format(then=WAIT))
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    with owner.stdout:
        family = [psutil.Process(int(pid)) for pid in owner.stdout.readline().split()]
    children = psutil.Process(owner.pid).children()
    guards = [child for child in children if "guard.py" in " ".join(child.cmdline())]
    owner.kill()
    owner.wait()
    try:
        assert_gone(family + guards)
    finally:
        for child in set(children) - set(guards):
            child.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")
def test_running_as_another_user_without_and_with_access(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (private / "file").write_text("secret")
    command = ["/bin/sh", "-c", f"id -u; cat {private}/file"]
    plain = start(command, run_as=RunAs(65534, 65534))
    assert plain.wait(20) != 0
    keeping = start(command, run_as=RunAs(65534, 65534, keep_access=True))
    assert keeping.wait(20) == 0
    assert keeping.stdout is not None
    assert keeping.stdout.read() == b"65534\nsecret"
