"""The figures of small batches: medians of their runs, beside what is to be reached."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from benchmarks.targets import NAMES, Target, table

OPEN, CLOSED = "submitted without waiting", "each waited for"
PER_SECOND, ONE_ITEM, READS = 150.0, 15.0, 0.6


@dataclass
class Figure:
    """One contender's measurements of one thing, in the order in which they were made.

    `harness`: cores that the callers themselves used, in each.
    """

    values: list[float] = field(default_factory=list)
    harness: list[float] = field(default_factory=list)

    @property
    def middle(self) -> float:
        """The median."""
        return median(self.values)

    def percentile(self, percent: float) -> float:
        """The smallest value that so many percent of all do not pass."""
        ordered = sorted(self.values)
        rank = -(-len(ordered) * percent // 100)  # rounded up
        return ordered[max(0, int(rank) - 1)]


@dataclass
class SmallResults:
    """All figures, by what was measured and by contender.

    `throughput`: batches a second, by way (OPEN, CLOSED) and contender. `one_item`: milliseconds.
    `reads`: requests a second, by "batchline" and "bare".
    """

    batches: int = 300
    items: int = 10
    callers: int = 8
    throughput: dict[str, dict[str, Figure]] = field(default_factory=dict)
    one_item: dict[str, Figure] = field(default_factory=dict)
    reads: dict[str, Figure] = field(default_factory=dict)

    def targets(self) -> list[Target]:
        """The figures to reach; those that were not measured say so."""
        ways = self.throughput.get(OPEN, {})
        ours, chunked = (_middle(ways, name) for name in ("batchline", "chunked"))
        read, bare = (_middle(self.reads, name) for name in ("batchline", "bare"))
        return [
            Target(
                f"{self.batches} batches of {self.items} from {self.callers} callers, batches/s",
                ours,
                PER_SECOND,
                at_least=True,
            ),
            Target(
                "the same, as a multiple of the chunked chord's",
                ours / chunked if ours and chunked else None,
                1.0,
                at_least=True,
                more_than=True,
            ),
            Target(
                "one item, from submission to final summary, median ms",
                _middle(self.one_item, "batchline"),
                ONE_ITEM,
                at_least=False,
            ),
            Target(
                "status reads/s, as a part of bare Flask's",
                read / bare if read and bare else None,
                READS,
                at_least=True,
            ),
        ]

    def text(self) -> str:
        """The tables, as Markdown."""
        parts = []
        if self.throughput:
            head = ["batches/s", "contender", "median", "from", "to", "cores used by the callers"]
            parts.append(table(head, self._throughput_rows()))
        if self.one_item:
            head = ["one item, submission to summary", "median ms", "90 %", "from", "to"]
            parts.append(table(head, self._one_item_rows()))
        if self.reads:
            head = ["status reads", "reads/s, median", "from", "to", "cores used by the callers"]
            parts.append(table(head, self._read_rows()))
        return "\n\n".join("\n".join(lines) for lines in parts)

    def document(self) -> dict[str, object]:
        """The same for `results.json`."""

        def values(figures: dict[str, Figure]) -> dict[str, list[float]]:
            return {name: figure.values for name, figure in figures.items()}

        return {
            "batches": self.batches,
            "items": self.items,
            "callers": self.callers,
            "batchesPerSecond": {way: values(of) for way, of in self.throughput.items()},
            "oneItemMilliseconds": values(self.one_item),
            "readsPerSecond": values(self.reads),
        }

    def _throughput_rows(self) -> list[list[str]]:
        return [
            [way, NAMES[name], *_cells(figure, ",.0f"), f"{median(figure.harness):.2f}"]
            for way, figures in self.throughput.items()
            for name, figure in _ordered(figures)
        ]

    def _one_item_rows(self) -> list[list[str]]:
        rows = []
        for name, figure in _ordered(self.one_item):
            middle, least, most = _cells(figure, ".1f")
            rows.append([NAMES[name], middle, f"{figure.percentile(90):.1f}", least, most])
        return rows

    def _read_rows(self) -> list[list[str]]:
        return [
            [NAMES[name], *_cells(figure, ",.0f"), f"{median(figure.harness):.2f}"]
            for name, figure in _ordered(self.reads)
        ]


def _ordered(figures: dict[str, Figure]) -> list[tuple[str, Figure]]:
    return [(name, figures[name]) for name in NAMES if name in figures]


def _middle(figures: dict[str, Figure], name: str) -> float | None:
    return figures[name].middle if name in figures else None


def _cells(figure: Figure, form: str) -> list[str]:
    return [format(x, form) for x in (figure.middle, min(figure.values), max(figure.values))]
