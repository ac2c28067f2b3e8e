"""A command under a guard: started, watched and stopped from here, and never orphaned.

See `app.local.servers.guard` for what the guard does. From this side a guarded command is one
process (the guard), whose end is the command's end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

GUARD = Path(__file__).with_name("guard.py")

Steps = Sequence[tuple[str, float]]
"""Signals to send one after the other, each with the seconds it is given to take effect."""


@dataclass(frozen=True, slots=True)
class RunAs:
    """Another user to run as, which only root can ask for.

    `keep_access`: it keeps root's right to open any file (and nothing else of root's).
    """

    uid: int
    gid: int
    keep_access: bool = False


@dataclass(frozen=True, slots=True)
class Spec:
    """What to run, and how to end it."""

    command: Sequence[str]
    stop_steps: Steps
    """When it is asked to stop."""
    orphan_steps: Steps
    """When the process that started it is gone."""
    cwd: Path = Path("/")
    environ: Mapping[str, str] | None = None
    """The whole environment of the command; None for ours."""
    run_as: RunAs | None = None


class Guarded:
    """One guarded command, started on construction.

    `output`: where its stdout and stderr go (a file, or `subprocess.PIPE`: then read `stdout`).
    `inherit`: descriptors the command gets too, at the same numbers.
    """

    def __init__(
        self, spec: Spec, *, output: IO[bytes] | int | None = None, inherit: Sequence[int] = ()
    ) -> None:
        self._ours, theirs = -1, -1
        try:
            theirs, self._ours = os.pipe()
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), self._json(spec, theirs)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output is not None else None,
                # By the process's environment, not by SPEC: arguments are there for all to read.
                env=dict(spec.environ) if spec.environ is not None else None,
                pass_fds=(theirs, *inherit),
                # Out of reach of the terminal's Ctrl-C: the starter decides what ends when.
                start_new_session=True,
            )
        except BaseException:
            self._close_ours()
            raise
        finally:
            if theirs >= 0:
                os.close(theirs)

    @staticmethod
    def _json(spec: Spec, alive: int) -> str:
        run_as = spec.run_as
        return json.dumps(
            {
                "parent": os.getpid(),
                "alive": alive,
                "command": list(spec.command),
                "stop_steps": list(spec.stop_steps),
                "orphan_steps": list(spec.orphan_steps),
                "cwd": str(spec.cwd),
                "uid": run_as.uid if run_as else None,
                "gid": run_as.gid if run_as else None,
                "keep_access": bool(run_as and run_as.keep_access),
            }
        )

    @property
    def stdout(self) -> IO[bytes] | None:
        """The command's output, if it was started with `output=subprocess.PIPE`."""
        return self.process.stdout

    @property
    def running(self) -> bool:
        """Whether the command (or something it left behind) still runs."""
        return self.process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """The command's exit status, 128 + n if signal n ended it; None while it runs."""
        return self.process.poll()

    def terminate(self) -> None:
        """Begin the stop, or go on to its next step; returns at once."""
        if self.running:
            self.process.terminate()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; returns the exit status. Raises subprocess.TimeoutExpired."""
        status = self.process.wait(timeout)
        self._close_ours()
        return status

    def stop(self) -> int:
        """Stop the command and wait until nothing of it is left; returns the exit status."""
        self.terminate()
        return self.wait()

    def _close_ours(self) -> None:
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1
