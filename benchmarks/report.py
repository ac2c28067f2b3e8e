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

NAMES = {"batchline": "Batchline", "naive": "naive chord", "floor": "plain SQL (the floor)"}


@dataclass(frozen=True)
class Run:
    """One run: `seconds` from beginning to end, and the parts they fall into."""

    contender: str
    items: int
    seconds: float
    steps: dict[str, float]

    def line(self) -> str:
        """The run as a line of text, printed while it is measured."""
        steps = ", ".join(f"{name} {seconds:.3f}" for name, seconds in self.steps.items())
        return f"  {self.items:>7,} {self.contender:<10} {self.seconds:8.3f} s   ({steps})"


@dataclass(frozen=True)
class Target:
    """A ratio that is to be reached."""

    what: str
    value: float | None
    bound: float
    at_least: bool

    @property
    def reached(self) -> bool | None:
        """None where it was not measured."""
        if self.value is None:
            return None
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def cells(self) -> list[str]:
        """Its cells in the table: what, measured, target, reached."""
        return [
            self.what,
            "not measured" if self.value is None else f"{self.value:.2f}",
            f"{'≥' if self.at_least else '≤'} {self.bound:g}",
            {True: "yes", False: "NO", None: ""}[self.reached],
        ]


@dataclass
class Results:
    """All runs of one measurement."""

    machine: dict[str, str]
    old_rows: int
    runs: list[Run]
    minutes: float
    at: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))

    @property
    def sizes(self) -> list[int]:
        """The sizes measured, ascending."""
        return sorted({run.items for run in self.runs})

    def of(self, contender: str, items: int) -> list[Run]:
        """The runs of a contender at a size."""
        return [run for run in self.runs if (run.contender, run.items) == (contender, items)]

    def seconds(self, contender: str, items: int) -> float | None:
        """The median time, or None where there was no run."""
        times = [run.seconds for run in self.of(contender, items)]
        return median(times) if times else None

    def targets(self) -> list[Target]:
        """The figures to reach, with what was measured."""

        def ratio(above: tuple[str, int], below: tuple[str, int]) -> float | None:
            first, second = self.seconds(*above), self.seconds(*below)
            return first / second if first and second else None

        per_item = ratio(("batchline", 100_000), ("batchline", 10_000))
        return [
            Target(
                "items/s at 10,000, as a multiple of the naive chord's",
                ratio(("naive", 10_000), ("batchline", 10_000)),
                40,
                at_least=True,
            ),
            Target(
                "time at 10,000, as a multiple of the floor's",
                ratio(("batchline", 10_000), ("floor", 10_000)),
                4,
                at_least=False,
            ),
            Target(
                "time at 100,000, as a multiple of the floor's",
                ratio(("batchline", 100_000), ("floor", 100_000)),
                3,
                at_least=False,
            ),
            Target(
                "time per item at 100,000, as a multiple of that at 10,000",
                None if per_item is None else per_item / 10,
                1.3,
                at_least=False,
            ),
        ]

    def text(self) -> str:
        """The tables, as Markdown."""
        return "\n".join(
            [
                *_table(
                    [
                        "items",
                        "contender",
                        "median s",
                        "from",
                        "to",
                        "items/s",
                        "× Batchline's time",
                    ],
                    self._rows(),
                ),
                "",
                *_table(["ratio", "measured", "target", "reached"], self._target_rows()),
            ]
        )

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
            *_table(["items", "contender", "steps"], self._step_rows()),
            "",
        ]
        (folder / "results.md").write_text("\n".join(lines))
        document = {
            "at": self.at,
            "machine": self.machine,
            "oldRows": self.old_rows,
            "targets": [asdict(target) | {"reached": target.reached} for target in self.targets()],
            "runs": [asdict(run) for run in self.runs],
        }
        (folder / "results.json").write_text(json.dumps(document, indent=1) + "\n")

    def _measured(self) -> list[tuple[int, str]]:
        return [(items, name) for items in self.sizes for name in NAMES if self.of(name, items)]

    def _rows(self) -> list[list[str]]:
        rows = []
        for items, name in self._measured():
            times = [run.seconds for run in self.of(name, items)]
            ours = self.seconds("batchline", items)
            middle = median(times)
            rows.append(
                [
                    f"{items:,}",
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
        return [target.cells() for target in self.targets()]

    def _step_rows(self) -> list[list[str]]:
        rows = []
        for items, name in self._measured():
            runs = sorted(self.of(name, items), key=lambda run: run.seconds)
            steps = runs[len(runs) // 2].steps
            rows.append(
                [
                    f"{items:,}",
                    NAMES[name],
                    ", ".join(f"{step} {seconds:.3f}" for step, seconds in steps.items()),
                ]
            )
        return rows


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


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    ]
