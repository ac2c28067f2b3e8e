"""Lengths of time as they are written in commands and requests."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.core.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90d", timedelta(days=90)),
        ("24h", timedelta(hours=24)),
        ("15m", timedelta(minutes=15)),
        ("30s", timedelta(seconds=30)),
        ("0s", timedelta()),
        (" 1h ", timedelta(hours=1)),
        ("36500d", timedelta(days=36_500)),
    ],
)
def test_a_number_with_a_unit(text: str, length: timedelta) -> None:
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    "text", ["", "90", "d", "1.5h", "-1d", "+1d", "1w", "1D", "1h30m", "1 h", "٣d", "9" * 400 + "d"]
)
def test_anything_else_is_refused_with_words(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["36501d", "999999999d"])
def test_a_length_that_no_calendar_holds(text: str) -> None:
    with pytest.raises(ValueError, match="more than 36500d"):
        parse_duration(text)
