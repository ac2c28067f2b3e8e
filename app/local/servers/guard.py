"""The guard: starts one command, and leaves no process of it behind when its parent has ended.

Run as a script of its own (`python -I -S guard.py SPEC`), with nothing but the standard library, so
that it starts in milliseconds and stays small. `SPEC` is JSON, the fields of
`app.local.servers.guarded.Spec` and two more: `parent`, the process that must stay alive, and
`alive`, a descriptor that reads end-of-file when that process is gone, however it went (kill -9
included).

A guard's life:

1. It starts the command in a process group of its own, as another user if asked to. The command
   gets a death signal too, for the case that the guard itself is killed.
2. SIGTERM, or the parent's death, begins the stop: the first of `stop_steps` (or `orphan_steps`) is
   `[signal, seconds]`: that signal to the command, then the next step if it has not ended in time.
   Another SIGTERM goes on to the next step at once.
3. When the command has ended, by itself or not, whatever it left behind is killed, and the guard
   exits as the command did (128 + n if signal n ended it).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
PR_SET_CHILD_SUBREAPER = 36
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAP_DAC_OVERRIDE = 1
LINUX_CAPABILITY_VERSION_3 = 0x20080522
LINUX = sys.platform.startswith("linux")

# Seconds. The pipe shows the parent's death at once; this is for the case that another process
# inherited its other end, and so keeps it open.
PARENT_POLL_SECONDS = 1.0


def main() -> int:
    """Run one command to its end; returns its exit status."""
    spec: dict[str, Any] = json.loads(sys.argv[1])
    wakeup = _watch_signals()
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    os.set_inheritable(spec["alive"], False)
    guard = os.getpid()
    child = os.fork()
    if child == 0:
        _run_command(spec, guard)
    stop = _Stop(child)
    watched = [wakeup, spec["alive"]]
    while True:
        ready, _, _ = select.select(watched, [], [], stop.seconds_to_look_again())
        received = os.read(wakeup, 4096) if wakeup in ready else b""
        status = _exit_status(child)
        if status is not None:
            _kill_leftovers(child)
            return status
        if len(watched) == 2 and (spec["alive"] in ready or os.getppid() != spec["parent"]):
            watched.remove(spec["alive"])
            stop.begin(spec["orphan_steps"])
        elif signal.SIGTERM in received or signal.SIGINT in received:
            if stop.begun:
                stop.next_step()
            else:
                stop.begin(spec["stop_steps"])
        elif stop.begun and stop.seconds_to_look_again() <= 0:
            stop.next_step()


class _Stop:
    """Where the stop of the command has got to."""

    def __init__(self, child: int) -> None:
        self._child = child
        self._steps: list[tuple[str, float]] = []
        self._deadline = 0.0
        self.begun = False

    def begin(self, steps: list[tuple[str, float]]) -> None:
        self.begun = True
        self._steps = list(steps)
        self.next_step()

    def next_step(self) -> None:
        # The last step is repeated until the command is gone.
        name, seconds = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        self._deadline = time.monotonic() + seconds
        number = signal.Signals[name]
        if number == signal.SIGKILL:
            _quietly(os.killpg, self._child, number)
        _quietly(os.kill, self._child, number)

    def seconds_to_look_again(self) -> float:
        if not self.begun:
            return PARENT_POLL_SECONDS
        return max(0.0, min(PARENT_POLL_SECONDS, self._deadline - time.monotonic()))


def _watch_signals() -> int:
    """Make signals readable: the descriptor returned yields a byte, its number, for each."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return read


def _run_command(spec: dict[str, Any], guard: int) -> NoReturn:
    """In the forked child: become the command, or report why not and exit 127."""
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for name in ("SIGINT", "SIGTERM", "SIGQUIT", "SIGHUP", "SIGCHLD", "SIGPIPE"):
            signal.signal(signal.Signals[name], signal.SIG_DFL)
        if spec["uid"] is not None:
            _become(spec["uid"], spec["gid"], keep_access=spec["keep_access"])
        # After the change of user, which clears it. The guard has one thread, so "the thread that
        # forked ended" and "the guard ended" are the same.
        _prctl(PR_SET_PDEATHSIG, signal.Signals[spec["orphan_steps"][0][0]])
        if os.getppid() != guard:  # it died before the line above
            os._exit(1)
        os.chdir(spec["cwd"])
        os.execvp(spec["command"][0], spec["command"])  # noqa: S606
    except BaseException as error:
        os.write(2, f"cannot run {spec['command'][0]}: {error}\n".encode())
    os._exit(127)


def _become(uid: int, gid: int, *, keep_access: bool) -> None:
    """Change from root to another user; with `keep_access`, one that still may open any file.

    Of root's capabilities only CAP_DAC_OVERRIDE is kept, and made ambient, so that the command
    has it too.
    """
    if keep_access:
        # Without this, access(2), with which Postgres looks for its own programs, would ignore
        # every capability of a user who is not root.
        _prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if keep_access:
        bit = 1 << CAP_DAC_OVERRIDE
        header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
        # Effective, permitted and inheritable, of capabilities 0 to 31 and then 32 to 63.
        sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.capset(header, sets) != 0:
            raise OSError(ctypes.get_errno(), "capset")
        _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE)


def _exit_status(child: int) -> int | None:
    """The command's exit status once it has ended; adopted orphans are reaped on the way."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 1
        if pid == 0:
            return None
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _kill_leftovers(group: int) -> None:
    """Kill what is left of the command: its process group, and descendants that left the group.

    As the subreaper, the guard becomes the parent of every descendant whose own parent is gone,
    so this ends when there is no descendant left at all.
    """
    _quietly(os.killpg, group, signal.SIGKILL)
    while True:
        for pid in _children():
            _quietly(os.kill, pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def _prctl(option: int, *values: int) -> None:
    if LINUX:
        arguments = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
        ctypes.CDLL(None).prctl(option, *arguments)


def _quietly(call: Any, *args: Any) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        call(*args)


if __name__ == "__main__":
    sys.exit(main())
