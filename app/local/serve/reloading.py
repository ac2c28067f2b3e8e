"""`serve --reload`: web and workers start again when the code of handlers has changed.

For whoever writes handlers, never in production: what is under way is interrupted at each change.
Changed code is looked at by `batchline check` first; while something is wrong with it, what was
started with the code before goes on.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import TracebackType

from app.core.errors import SettingsError
from app.core.settings import Settings
from app.local.serve.output import Output
from app.local.serve.supervisor import Supervisor
from handlers.load import ENTRY_POINT_GROUP

RESTARTED = ("web", "worker", "slow")
_CHECK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Watched:
    """The modules of handlers, and where their code is.

    `packages`: folders, with all below them. `folders`: those of single files, without.
    """

    modules: tuple[str, ...]
    packages: tuple[Path, ...]
    folders: tuple[Path, ...]

    @classmethod
    def of(cls, settings: Settings) -> Watched:
        """Those of HANDLERS and of installed packages. Raises SettingsError where there are none.

        Once `check_handlers` has put this folder on the path.
        """
        declared = [entry_point.module for entry_point in entry_points(group=ENTRY_POINT_GROUP)]
        modules = tuple(dict.fromkeys([*settings.handlers, *declared]))
        if not modules:
            raise SettingsError(
                "--reload: there is nothing to watch; HANDLERS names no module, and no installed "
                "package brings handlers"
            )
        packages, folders = set[Path](), set[Path]()
        for module in modules:
            spec = importlib.util.find_spec(module.partition(".")[0])
            if spec is None:
                continue
            if spec.submodule_search_locations:
                packages.update(map(Path, spec.submodule_search_locations))
            elif spec.origin:
                folders.add(Path(spec.origin).parent)
        return cls(modules, tuple(sorted(packages)), tuple(sorted(folders)))

    def __str__(self) -> str:
        return ", ".join(map(str, (*self.packages, *self.folders)))


class Reloader:
    """Watches, in threads of its own, from entering to leaving it. `look` acts on what they saw."""

    def __init__(
        self,
        watched: Watched,
        environ: Mapping[str, str],
        supervisor: Supervisor,
        output: Output,
    ) -> None:
        self._watched = watched
        self._environ = environ
        self._supervisor = supervisor
        self._output = output
        self._changed = threading.Event()
        self._left = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(folders, deep), name="reload", daemon=True)
            for folders, deep in ((watched.packages, True), (watched.folders, False))
            if folders
        ]

    def __enter__(self) -> Reloader:
        for thread in self._threads:
            thread.start()
        self._output.line(
            f"reloading when Python files change in {self._watched}; "
            "for development, never in production"
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._left.set()
        for thread in self._threads:
            thread.join()

    def _watch(self, folders: tuple[Path, ...], deep: bool) -> None:
        from watchfiles import PythonFilter, watch

        try:
            for _ in watch(
                *folders,
                watch_filter=PythonFilter(),
                stop_event=self._left,
                recursive=deep,
                raise_interrupt=False,
            ):
                self._changed.set()
        except Exception as error:  # a folder that is gone, or more files than the system watches
            self._output.line(f"reloading has ended: {type(error).__name__}: {error}")

    def look(self) -> None:
        """Start web and workers again if files have changed, and nothing is wrong with them."""
        if not self._changed.is_set():
            return
        self._changed.clear()
        wrong = list(self._wrong())
        if wrong:
            for line in wrong:
                self._output.line(line)
            self._output.line("not reloaded; what was started before goes on")
            return
        self._output.line("handlers have changed: starting web and workers again")
        self._supervisor.restart(*RESTARTED)

    def _wrong(self) -> Iterator[str]:
        """What `batchline check` says of the modules, in a process that has not imported them."""
        # -P: our packages, and not what a folder of the same name here holds.
        check = "from app.cli import main; main()"
        command = [sys.executable, "-P", "-c", check, "check", *self._watched.modules]
        try:
            done = subprocess.run(
                command,
                env=dict(self._environ),
                cwd=os.getcwd(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                timeout=_CHECK_SECONDS,
            )
        except subprocess.TimeoutExpired:
            yield f"the modules could not be imported within {_CHECK_SECONDS:.0f} s"
            return
        if done.returncode:
            yield from done.stderr.splitlines()[-20:] or [f"status {done.returncode}"]
