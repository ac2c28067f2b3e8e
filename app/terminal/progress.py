"""Batches as live bars in a terminal: how far they are, how fast, and how long is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Any

from rich import filesize
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from app.core.visible import visible
from batchline.client.api import Api
from batchline.client.poller import BatchPoller

STYLES = {
    "SUCCESS": "green",
    "PARTIAL": "yellow",
    "FAILED": "red",
    "CANCELED": "magenta",
    "RUNNING": "cyan",
}


class RateColumn(ProgressColumn):
    """Items a second: the recent rate while the batch runs, the mean once it has ended."""

    def render(self, task: Task) -> Text:
        """The rate, or nothing before there is one."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed")


def batch_bars(console: Console, *, transient: bool = False) -> Progress:
    """Bars for batches, a line each. A context manager. `transient`: they are gone at its end."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(elapsed_when_finished=False),
        TextColumn("{task.fields[status]}"),
        console=console,
        transient=transient,
    )


def watch(
    api: Api,
    batches: Sequence[dict[str, Any]],
    console: Console,
    *,
    meanwhile: Callable[[], None] = lambda: None,
    transient: bool = False,
) -> list[dict[str, Any]]:
    """Show `batches` until every one has ended; returns them as they ended, in the same order.

    `meanwhile` is called after every look. `transient`: nothing of it stays. Raises ApiError.
    """
    with ExitStack() as stack:
        bars = stack.enter_context(batch_bars(console, transient=transient))
        tasks = {
            batch["id"]: bars.add_task(
                escape(label(batch)), total=batch["summary"]["total"], status=_status(batch)
            )
            for batch in batches
        }
        live = stack.enter_context(BatchPoller(api, batches))
        while True:
            for batch_id, batch in live.latest.items():
                bars.update(
                    tasks[batch_id],
                    completed=_done(batch),
                    total=batch["summary"]["total"],
                    status=_status(batch),
                )
            if not live.running():
                return [live.latest[batch["id"]] for batch in batches]
            meanwhile()
            live.look()


def label(batch: dict[str, Any]) -> str:
    """What a batch is called in a line: its name, or its operation and the end of its id."""
    named = str(batch.get("name") or f"{batch.get('operation') or 'batch'} …{batch['id'][-6:]}")
    return visible(named)


def summary_line(batch: dict[str, Any]) -> Text:
    """A batch and how it ended (or stands), in a line."""
    counts = batch["summary"]
    said = [
        f"{counts[name]:,} {name}"
        for name in ("completed", "failed", "invalid", "canceled", "running", "pending")
        if counts.get(name)
    ]
    line = Text.assemble(
        (f"{batch['status']:<9}", STYLES.get(batch["status"], "")),
        f" {label(batch)}: {', '.join(said) or 'no items'} of {counts['total']:,}",
    )
    if batch.get("stopReason"):
        line.append(f" ({batch['stopReason']})")
    if doing := batch.get("doing"):
        line.append(f" ({doing['action']}: {doing['done']:,} of {doing['total']:,})")
    return line


def worst_exit_status(batches: Iterable[dict[str, Any]]) -> int:
    """0 if all succeeded, 3 if one ended PARTIAL, 4 if one ended FAILED or CANCELED."""
    ranks = {"SUCCESS": 0, "PARTIAL": 3, "FAILED": 4, "CANCELED": 4}
    return max((ranks.get(batch["status"], 0) for batch in batches), default=0)


def upload_bar(console: Console) -> Progress:
    """A bar in bytes, for a file that is being uploaded."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        _BytesColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def download_bar(console: Console, *, quiet: bool = False) -> Progress:
    """Bytes received, the rate and the time. `quiet`: show nothing."""
    return Progress(
        TextColumn("{task.description}"),
        _BytesColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )


class _BytesColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        sent = filesize.decimal(int(task.completed))
        total = f" of {filesize.decimal(int(task.total))}" if task.total else ""
        return Text(sent + total, style="progress.download")


def _done(batch: dict[str, Any]) -> int:
    return int(batch["summary"]["processed"]) + int(batch["summary"]["canceled"])


def _status(batch: dict[str, Any]) -> str:
    style = STYLES.get(batch["status"])
    return f"[{style}]{batch['status']}[/]" if style else str(batch["status"])
