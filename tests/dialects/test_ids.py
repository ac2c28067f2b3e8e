"""An id that is unknown, malformed, another client's or another dialect's: 404, all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from app.clients.credentials import ClientSecret
from tests.dialects.conftest import Hold
from tests.dialects.facts import FACTS
from tests.dialects.facts.kibo import JOBS
from tests.dialects.facts.kinds import Reading
from tests.dialects.speaking import Speaker

READINGS = [(name, reading) for name, facts in FACTS.items() for reading in facts.readings]
MALFORMED = [
    "x",
    "0",
    "-1",
    "%00",
    "a%00b",
    "%20",
    "%F0%9F%98%80",
    "%FF",
    "null",
    "x" * 5000,
    "...",
]


def strip_ids(response: Any) -> Any:
    """What an answer says, but for the id that was asked for."""
    said = dict(response.json)
    said.pop("detail")
    return said


@pytest.mark.parametrize(
    ("dialect", "reading"),
    READINGS,
    ids=lambda value: value if isinstance(value, str) else value.path,
)
def test_ids_that_are_not_there(
    speak: Callable[..., Speaker],
    hold: Hold,
    other: ClientSecret,
    dialect: str,
    reading: Reading,
) -> None:
    speaker, stranger = speak(dialect), speak(dialect, other)
    path = reading.path
    reference = hold(dialect, reading.operation, ["{}"])
    assert speaker.get(path.format(id=reference)).status_code < 300
    theirs = stranger.get(path.format(id=reference))
    unknown = stranger.get(path.format(id=uuid4()))
    assert (theirs.status_code, unknown.status_code) == (404, 404)
    assert strip_ids(theirs) == strip_ids(unknown)
    for malformed in [*MALFORMED, reference.upper(), f" {reference}", f"{reference}%20"]:
        response = speaker.get(path.format(id=malformed))
        assert response.status_code == 404, malformed
        assert strip_ids(response) == strip_ids(unknown)
    for another, its in READINGS:
        if another != dialect:
            elsewhere = hold(another, its.operation, ["{}"])
            assert speaker.get(path.format(id=elsewhere)).status_code == 404


def test_another_clients_batch_cannot_be_stopped_or_filled(
    speak: Callable[..., Speaker], hold: Hold, other: ClientSecret
) -> None:
    batch_id = hold("gameball", "loyalty.balance", ["{}"])
    assert speak("gameball", other)("DELETE", f"/integrations/batch/{batch_id}").status_code == 404
    assert speak("gameball").shown(f"/integrations/batch/{batch_id}")["status"] == "Queued"
    code = hold("kibo", "catalog.product.add", ["{}"])
    stranger = speak("kibo", other)
    body = {"productCode": "P"}
    path = f"/commerce/catalog/admin/products?batchJobCode={code}"
    assert stranger.post(path, body).status_code == 404
    assert stranger.post(f"{JOBS}/actions/{code}", {"action": "cancel"}).status_code == 404
    assert stranger("PUT", f"{JOBS}/{code}", {"jobName": "mine"}).status_code == 404
    shown = speak("kibo").get(f"{JOBS}/items/{code}").json
    assert shown is not None
    assert shown["totalCount"] == 1
