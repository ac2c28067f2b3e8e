"""Options and output that several commands share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from app.core.visible import visible, visible_json

if TYPE_CHECKING:
    from datetime import timedelta

Command = TypeVar("Command", bound=Callable[..., Any])

as_json = click.option("--json", "json_output", is_flag=True, help="Print JSON.")


class _Duration(click.ParamType[Any]):
    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        from app.core.durations import parse_duration

        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = _Duration()
"""A whole number with s, m, h or d; the command gets a timedelta."""


def remote(command: Command) -> Command:
    """Add `--url` and `--secret`; the command gets `url` and `secret`, each a string or None."""
    url = click.option(
        "--url",
        envvar="BATCHLINE_URL",
        metavar="URL",
        help="Batchline's address [env: BATCHLINE_URL; else the one running here].",
    )
    secret = click.option(
        "--secret",
        envvar="BATCHLINE_SECRET",
        metavar="SECRET",
        help="A client's secret [env: BATCHLINE_SECRET; else the demo client's here].",
    )
    return url(secret(command))


def print_json(data: Any) -> None:
    """Print `data` as JSON, readable for people too."""
    click.echo(visible_json(json.dumps(data, indent=2, ensure_ascii=False, default=str)))


def print_table(headings: list[str], rows: list[list[str]]) -> None:
    """Print rows under headings, in columns as wide as they need to be."""
    table = [headings, *([visible(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(headings))]
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        click.echo("  ".join(cells).rstrip())
