"""How values are written for people: numbers, times, statuses, text that others sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from markupsafe import Markup, escape

from app.console.shell.asked import moment_of
from app.core.jsontext import dumps
from app.core.visible import visible, visible_json

LONGEST = 4000
"""Characters of a text that are shown where the whole is to be had elsewhere."""
MOST_INDENTED = 32 * 1024
"""Characters of a text to be edited that are indented; a longer one stands as it was stored."""
_STEPS = ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h"), (float("inf"), 86_400, "d"))
_SHAPES = {
    "OPEN": "◌",
    "SCHEDULED": "◷",
    "AWAITING": "◔",
    "PENDING": "○",
    "RUNNING": "▶",
    "PAUSED": "⏸",
    "SUCCESS": "✓",
    "PARTIAL": "◐",
    "FAILED": "✕",
    "INVALID": "!",
    "CANCELED": "⊘",
}


_SIGN = Markup('<span class="status status-{}"><span aria-hidden="true">{}</span>{}</span>')
# What a batch waits for: what helps, in a sentence, and for a table.
_WAITS = {
    "retry": ("Waits for items that will be tried again.", "tries again later"),
    "schedule": ("Waits for its time.", "waits for its time"),
    "approval": ("Waits for another key's approval.", "waits for approval"),
    "ramp": (
        "Waits for somebody to look at the step that has run, and to resume it.",
        "waits after a step",
    ),
    "breaker": (
        "Held by a breaker: what its operation needs is away. It goes on when that is back.",
        "held by a breaker",
    ),
    "worker": (
        "Waits for a worker: none that is alive has its operation. Start one that does.",
        "waits for a worker",
    ),
}


def number(value: float) -> str:
    """1234567 as 1,234,567."""
    return f"{value:,}"


def duration(seconds: float) -> str:
    """Seconds in one unit, rounded down: `42 s`, `3 min`."""
    seconds = max(0, int(seconds))
    for below, unit, name in _STEPS:
        if seconds < below:
            return f"{seconds // unit} {name}"
    raise AssertionError  # the last step has no end


def cost(seconds: float) -> str:
    """Seconds that something takes, often very short: `0.12 ms`, `35 ms`, `1.5 s`."""
    if seconds >= 0.9995:
        return f"{seconds:.1f} s"
    thousandths = seconds * 1000
    return f"{thousandths:.0f} ms" if thousandths >= 10 else f"{thousandths:.2g} ms"


def relative(moment: datetime, now: datetime | None = None) -> str:
    """`3 min ago`, `in 2 h`."""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    return f"in {duration(-seconds)}" if seconds <= -1 else f"{duration(seconds)} ago"


def ago(moment: datetime | None, now: datetime | None = None) -> Markup:
    """The time relative to now, with the exact one on hover; a dash where there is none."""
    if moment is None:
        return Markup("&ndash;")
    return Markup(f"{_exactly(moment)}{relative(moment, now)}</time>")  # noqa: S704 (figures and words)


@lru_cache(maxsize=4_000)
def _exactly(moment: datetime) -> str:
    """The beginning of its element. It is made of digits alone; 4,000 of them take 1 MB."""
    utc = moment.astimezone(UTC)
    exact = utc.strftime("%Y-%m-%d %H:%M:%S UTC")
    return f'<time data-passing datetime="{utc:%Y-%m-%dT%H:%M:%SZ}" title="{exact}">'


@lru_cache(maxsize=100)
def status(word: str) -> Markup:
    """A status by word, shape and colour."""
    return _SIGN.format(word.lower(), _SHAPES.get(word, "·"), word)


def breaker(word: str) -> Markup:
    """How a breaker stands, by word, shape and colour."""
    style, shape = {"open": ("failed", "⊘"), "probing": ("paused", "◔")}.get(word, ("success", "✓"))
    return _SIGN.format(style, shape, word)


@lru_cache(maxsize=100)
def delivery(word: str) -> Markup:
    """How far a webhook's delivery is, by word, shape and colour."""
    style, shape = {"DELIVERED": ("success", "✓"), "FAILED": ("failed", "✕")}.get(
        word, ("pending", "○")
    )
    return _SIGN.format(style, shape, word)


def waits(word: str, *, briefly: bool = False) -> str:
    """What a batch waits for, of the API's words: what helps; of one that is new, the word."""
    sentence, brief = _WAITS.get(word, (f"Waits for {word}.", f"waits for {word}"))
    return brief if briefly else sentence


def foreign(text: str | None, most: int = 200) -> Markup:
    """Text that somebody else wrote, which does nothing but stand there.

    Control characters and those that turn the direction are shown as what they are; what is longer
    than `most` characters is cut.
    """
    if not text:
        return Markup("")
    cut = text if len(text) <= most else text[:most] + "…"
    return Markup(f"<bdi>{escape(visible(cut))}</bdi>")  # noqa: S704 (escaped)


def plain(text: str, most: int = 60) -> str:
    """The same where there can be no markup: in a page's title, and in attributes."""
    return visible(text if len(text) <= most else text[:most] + "…")


def pretty(text: str | None, most: int = LONGEST) -> Markup:
    """JSON text, indented."""
    if text is None:
        return Markup("")
    try:
        # Numbers stay as they are written.
        shown = msgspec.json.format(text, indent=2)
    except (msgspec.DecodeError, RecursionError):
        shown = text
    shown = shown if len(shown) <= most else shown[:most] + "\n…"
    return escape(visible_json(shown))


def editable(text: str) -> str:
    """JSON text as it stands in a field to be changed: whole, and indented unless that is much.

    Indented, many short values take several times their room, and more than an item may have.
    """
    shown = text
    with suppress(msgspec.DecodeError, RecursionError):
        indented = msgspec.json.format(text, indent=2)
        shown = indented if len(indented) <= MOST_INDENTED else text
    return visible_json(shown)


def in_field(text: str) -> str:
    """A moment as it was asked for, as it stands in a field for one, which is in UTC."""
    moment = moment_of(text)
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M")


def percent(part: float) -> str:
    """0.4213 as 42.1 %, in a form that SVG takes too."""
    return f"{part * 100:.1f}%"


FILTERS: Mapping[str, Callable[..., Any]] = {
    "number": number,
    "duration": duration,
    "cost": cost,
    "ago": ago,
    "status": status,
    "breaker": breaker,
    "delivery": delivery,
    "waits": waits,
    "foreign": foreign,
    "plain": plain,
    "pretty": pretty,
    "written": dumps,
    "editable": editable,
    "in_field": in_field,
    "percent": percent,
}
