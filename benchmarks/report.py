"""From single runs to medians, ratios and targets, and to the files that hold them."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from sqlalchemy import Engine, text

from benchmarks.small_report import SmallResults
from benchmarks.targets import NAMES, Target, table


@dataclass(frozen=True)
class Run:
    """One run: `seconds` from beginning to end, and the parts they fall into.

    `after_small`: right after hundreds of small batches of the same operation.
    """

    contender: str
    items: int
    seconds: float
    steps: dict[str, float]
    after_small: bool = False

    def line(self) -> str:
        """The run as a line of text, printed while it is measured."""
        steps = ", ".join(f"{name} {seconds:.3f}" for name, seconds in self.steps.items())
        after = "  after small batches" if self.after_small else ""
        return f"  {self.items:>7,} {self.contender:<10} {self.seconds:8.3f} s   ({steps}){after}"


@dataclass
class Results:
    """All runs of one measurement."""

    machine: dict[str, str]
    old_rows: int
    runs: list[Run] = field(default_factory=list)
    minutes: float = 0.0
    small: SmallResults | None = None
    at: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))

    @property
    def sizes(self) -> list[int]:
        """The sizes measured, ascending."""
        return sorted({run.items for run in self.runs})

    def of(self, contender: str, items: int, *, after_small: bool = False) -> list[Run]:
        """The runs of a contender at a size."""
        wanted = (contender, items, after_small)
        return [run for run in self.runs if (run.contender, run.items, run.after_small) == wanted]

    def seconds(self, contender: str, items: int, *, after_small: bool = False) -> float | None:
        """The median time, or None where there was no run."""
        times = [run.seconds for run in self.of(contender, items, after_small=after_small)]
        return median(times) if times else None

    def targets(self) -> list[Target]:
        """The figures to reach, with what was measured."""

        def ratio(
            above: tuple[str, int], below: tuple[str, int], *, after_small: bool = False
        ) -> float | None:
            first = self.seconds(*above, after_small=after_small)
            second = self.seconds(*below, after_small=after_small)
            return first / second if first and second else None

        per_item = ratio(("batchline", 100_000), ("batchline", 10_000))
        return [
            Target(
                "items/s at 10,000, as a multiple of the naive chord's",
                ratio(("naive", 10_000), ("batchline", 10_000)),
                40,
                at_least=True,
            ),
            *(
                Target(
                    f"time at {items:,}{', after small batches' if after else ''}, as a multiple of"
                    " the floor's",
                    ratio(("batchline", items), ("floor", items), after_small=after),
                    1.6,
                    at_least=False,
                )
                for after in (False, True)
                for items in (10_000, 100_000)
            ),
            Target(
                "time per item at 100,000, as a multiple of that at 10,000",
                None if per_item is None else per_item / 10,
                1.3,
                at_least=False,
            ),
            *(self.small.targets() if self.small is not None else []),
        ]

    def text(self) -> str:
        """The tables, as Markdown."""
        head = ["items", "contender", "median s", "from", "to", "items/s", "× Batchline's time"]
        parts = [table(head, self._rows())] if self.runs else []
        if self.small is not None and (shown := self.small.text()):
            parts.append([shown])
        if rows := self._target_rows():
            parts.append(table(["figure", "measured", "target", "reached"], rows))
        return "\n\n".join("\n".join(lines) for lines in parts)

    def write(self, folder: Path) -> None:
        """`results.md` and `results.json` in `folder`."""
        machine = "; ".join(f"{name}: {value}" for name, value in self.machine.items())
        lines = [
            "# Measured",
            "",
            f"`make bench`, {self.at}, in {self.minutes:.0f} minutes, with {self.old_rows:,} items"
            " and as many records of earlier batches in the tables.",
            f"{machine}.",
            "What is measured, and how, is told in `docs/performance.md`.",
            "",
            self.text(),
            "",
            "![time by number of items](results.svg)",
            "",
            "Where the time of the median run goes, in seconds:",
            "",
            *table(["items", "contender", "steps"], self._step_rows()),
            "",
        ]
        (folder / "results.md").write_text("\n".join(lines))
        document = {
            "at": self.at,
            "machine": self.machine,
            "oldRows": self.old_rows,
            "targets": [asdict(target) | {"reached": target.reached} for target in self.targets()],
            "runs": [asdict(run) for run in self.runs],
            "small": None if self.small is None else self.small.document(),
        }
        (folder / "results.json").write_text(json.dumps(document, indent=1) + "\n")

    def _measured(self) -> list[tuple[int, str, bool]]:
        return [
            (items, name, after)
            for after in (False, True)
            for items in self.sizes
            for name in NAMES
            if self.of(name, items, after_small=after)
        ]

    def _rows(self) -> list[list[str]]:
        rows = []
        for items, name, after in self._measured():
            times = [run.seconds for run in self.of(name, items, after_small=after)]
            ours = self.seconds("batchline", items, after_small=after)
            middle = median(times)
            rows.append(
                [
                    _size(items, after),
                    NAMES[name],
                    f"{middle:.3f}",
                    f"{min(times):.3f}",
                    f"{max(times):.3f}",
                    f"{items / middle:,.0f}",
                    f"{middle / ours:.2f}" if ours else "",
                ]
            )
        return rows

    def _target_rows(self) -> list[list[str]]:
        return [target.cells() for target in self.targets() if target.value is not None]

    def _step_rows(self) -> list[list[str]]:
        rows = []
        for items, name, after in self._measured():
            runs = sorted(self.of(name, items, after_small=after), key=lambda run: run.seconds)
            steps = runs[len(runs) // 2].steps
            rows.append(
                [
                    _size(items, after),
                    NAMES[name],
                    ", ".join(f"{step} {seconds:.3f}" for step, seconds in steps.items()),
                ]
            )
        return rows


def _size(items: int, after_small: bool) -> str:
    return f"{items:,}, after small batches" if after_small else f"{items:,}"


def describe_machine(engine: Engine) -> dict[str, str]:
    """What the figures depend on."""
    with engine.connect() as connection:
        version = connection.execute(text("SHOW server_version")).scalar_one()
    return {
        "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} cores",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "Postgres": str(version).split()[0],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
