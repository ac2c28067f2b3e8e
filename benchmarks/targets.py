"""What is to be reached, and tables of it: shared by all reports."""

from __future__ import annotations

from dataclasses import dataclass

NAMES = {
    "batchline": "Batchline",
    "chunked": "chord of chunks, bulk SQL",
    "naive": "naive chord",
    "floor": "plain SQL (the floor)",
    "bare": "bare Flask, one query",
}


@dataclass(frozen=True)
class Target:
    """A figure that is to be reached. `more_than`: the bound itself is not enough."""

    what: str
    value: float | None
    bound: float
    at_least: bool
    more_than: bool = False

    @property
    def reached(self) -> bool | None:
        """None where it was not measured."""
        if self.value is None:
            return None
        if self.more_than and self.value == self.bound:
            return False
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    @property
    def _sign(self) -> str:
        if self.more_than:
            return ">" if self.at_least else "<"
        return "≥" if self.at_least else "≤"

    def cells(self) -> list[str]:
        """Its cells in the table: what, measured, target, reached."""
        return [
            self.what,
            "not measured" if self.value is None else f"{self.value:.2f}",
            f"{self._sign} {self.bound:g}",
            {True: "yes", False: "NO", None: ""}[self.reached],
        ]


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """A Markdown table, its lines."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    ]
