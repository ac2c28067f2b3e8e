"""Bodies with fields of their own: each missing, wrong, and one too many."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, func, select

from app.clients.credentials import ClientSecret
from app.dialects.fluent.tables import FluentJob
from tests.dialects.facts import FACTS
from tests.dialects.facts.gameball import GAMEBALL
from tests.dialects.facts.kibo import JOBS
from tests.dialects.facts.kinds import Envelope
from tests.dialects.sending import Kept, refused
from tests.dialects.speaking import Speaker

ENVELOPES = [(name, envelope) for name, facts in FACTS.items() for envelope in facts.envelopes]


@pytest.mark.parametrize(
    ("dialect", "envelope"),
    ENVELOPES,
    ids=lambda value: value if isinstance(value, str) else value.path,
)
def test_envelopes(
    speak: Callable[..., Speaker], kept: Kept, dialect: str, envelope: Envelope
) -> None:
    """What is wrong is named."""
    speaker, good = speak(dialect), envelope.good
    path = envelope.path.format(**envelope.begin(speaker))
    before = kept()
    for name, values in envelope.wrong.items():
        for value in values:
            said = refused(dialect, speaker.post(path, {**good, name: value}))
            assert name in said, said
        if name not in envelope.optional:
            without = {other: value for other, value in good.items() if other != name}
            assert name in refused(dialect, speaker.post(path, without))
    assert "surplus" in refused(dialect, speaker.post(path, {**good, "surplus": 1}))
    assert kept() == before


@pytest.mark.parametrize(
    ("dialect", "envelope"),
    ENVELOPES,
    ids=lambda value: value if isinstance(value, str) else value.path,
)
def test_a_small_body_makes_no_large_answer(
    speak: Callable[..., Speaker], dialect: str, envelope: Envelope
) -> None:
    speaker = speak(dialect)
    path = envelope.path.format(**envelope.begin(speaker))
    for count, why in ((1001, "1,000 members"), (1000, "")):
        answer = speaker.post(path, {f"n{number}": 1 for number in range(count)})
        assert why in refused(dialect, answer)
        assert len(answer.data) < 64 * 1024


def test_optional_fields_may_be_null(speak: Callable[..., Speaker]) -> None:
    assert speak("gameball").post("/integrations/batch", {**GAMEBALL, "params": None}).json
    job = {"code": "nulls", "name": "by its other name", "domain": "Catalog", "status": None}
    assert speak("kibo").post(JOBS, job).status_code == 201


def test_jobs_that_are_refused_leave_nothing(
    speak: Callable[..., Speaker], engine: Engine, client: ClientSecret
) -> None:
    refused("fluent", speak("fluent").post("/api/v4.1/job", {"name": ""}))
    with engine.connect() as connection:
        jobs = select(func.count()).where(FluentJob.client_id == client.client_id)
        assert connection.execute(jobs).scalar_one() == 0
