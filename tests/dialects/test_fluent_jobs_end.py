"""Fluent's jobs: they go when nobody has used them for as long as batches are kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from app.dialects.fluent.jobs import GO_AT_ONCE
from tests.dialects.speaking import Speaker
from tests.dialects.test_fluent import EXAMPLE


@pytest.fixture
def fluent(speak: Callable[..., Speaker]) -> Speaker:
    """The test's client."""
    return speak("fluent")


def make(fluent: Speaker, count: int = 1) -> list[int]:
    """So many jobs; their numbers."""
    made = [fluent.post("/api/v4.1/job", {"name": "categories"}).json for _ in range(count)]
    return [int(each["id"]) for each in made if each is not None]


def unused_for(engine: Engine, jobs: list[int], days: int) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE fluent_jobs SET used_at = now() - make_interval(days => :days)"
                " WHERE id = ANY(:jobs)"
            ),
            {"jobs": jobs, "days": days},
        )


def kept(engine: Engine, jobs: list[int]) -> list[int]:
    with engine.connect() as connection:
        return list(
            connection.execute(
                text("SELECT id FROM fluent_jobs WHERE id = ANY(:jobs) ORDER BY id"),
                {"jobs": jobs},
            ).scalars()
        )


def test_unused_jobs_go_as_others_are_made(
    fluent: Speaker, speak: Callable[..., Speaker], other: ClientSecret, engine: Engine
) -> None:
    old, young = make(fluent, 2 * GO_AT_ONCE), make(fluent, 2)
    others = make(speak("fluent", other))
    unused_for(engine, old + others, 91)
    unused_for(engine, young, 89)
    make(fluent)
    assert len(kept(engine, old)) == GO_AT_ONCE
    make(fluent)
    assert kept(engine, old) == []
    assert kept(engine, young) == young
    assert kept(engine, others) == others, "each client's by what it makes itself"


def test_a_job_stays_while_it_has_batches_and_holds_up_no_others(
    fluent: Speaker, engine: Engine
) -> None:
    used, unused = make(fluent, GO_AT_ONCE), make(fluent, 2)
    for job in used:
        assert fluent.post(f"/api/v4.1/job/{job}/batch", EXAMPLE).status_code == 200
    unused_for(engine, used, 200)
    unused_for(engine, unused, 100)
    make(fluent)
    assert kept(engine, used) == used
    make(fluent)
    assert kept(engine, used + unused) == used, "those that were looked at in vain are behind"


def test_a_job_under_which_batches_are_sent_is_used(fluent: Speaker, engine: Engine) -> None:
    (job,) = make(fluent)
    unused_for(engine, [job], 91)
    assert fluent.post(f"/api/v4.1/job/{job}/batch", EXAMPLE).status_code == 200
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM fluent_batches WHERE job_id = :job"), {"job": job})
    make(fluent)
    assert kept(engine, [job]) == [job]
    unused_for(engine, [job], 91)
    make(fluent)
    assert fluent.post(f"/api/v4.1/job/{job}/batch", EXAMPLE).status_code == 404


def test_a_job_that_is_being_used_is_passed_over(fluent: Speaker, engine: Engine) -> None:
    (job,) = make(fluent)
    unused_for(engine, [job], 91)
    with engine.begin() as connection:
        connection.execute(
            text("SELECT FROM fluent_jobs WHERE id = :job FOR KEY SHARE"), {"job": job}
        )
        make(fluent)
    assert kept(engine, [job]) == [job]
