"""Times as items and requests say them: with an offset, since only that names a moment."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from marshmallow import ValidationError

from handlers.fields import Timestamp

FIELD = Timestamp()
MOMENT = datetime(2026, 1, 31, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T08:00:00Z",
        "2026-01-31T08:00:00z",
        "2026-01-31t08:00:00.000z",
        "2026-01-31 10:00:00+02:00",
        "2026-01-31T03:30:00-04:30",
    ],
)
def test_a_moment(text: str) -> None:
    assert FIELD.deserialize(text) == MOMENT


@pytest.mark.parametrize("text", ["2026-01-31T08:00:00", "2026-01-31", "2026-01-31 08:00"])
def test_a_time_without_an_offset_is_none(text: str) -> None:
    with pytest.raises(ValidationError, match="offset"):
        FIELD.deserialize(text)


@pytest.mark.parametrize(
    "text", ["", "z", "soon", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+01:00", 7, True, None]
)
def test_what_is_no_time(text: object) -> None:
    with pytest.raises(ValidationError):
        FIELD.deserialize(text)
