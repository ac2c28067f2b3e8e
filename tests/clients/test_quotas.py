"""Quotas of a client: set, shown, told of, and what they may be."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from app.audit.reading import AuditFilter, list_audit
from app.cli import main
from app.clients.credentials import ClientSecret, revoke_client
from app.clients.quotas import QUOTAS, default_quotas, get_quotas, set_quotas
from app.clients.recent_callers import RecentCallers
from app.core.errors import Invalid, NotFound, SettingsError
from app.core.jsontext import loads
from app.core.settings import Settings, load_settings
from tests.support.clock import Clock
from tests.support.quotas import DEFAULTS


def told(engine: Engine, client: ClientSecret) -> list[Any]:
    with engine.connect() as connection:
        which = AuditFilter(client.client_id, action="quota.set")
        found, _ = list_audit(connection, which, limit=100)
    return [loads(entry.detail)["quotas"] for entry in reversed(found)]


def test_a_client_has_the_defaults_until_others_are_set(
    engine: Engine, client: ClientSecret, settings: Settings
) -> None:
    defaults = default_quotas(settings)
    assert dict(get_quotas(engine, client.client_id, defaults)) == DEFAULTS
    first = {"openBatches": 3, "webhooks": "none", "submissionsAtOnce": 0}
    found = set_quotas(engine, client.client_id, first, defaults)
    assert dict(found) == {**DEFAULTS, "openBatches": 3, "webhooks": None, "submissionsAtOnce": 0}
    second = {"webhooks": "default", "openBatches": None, "storedItems": 2**53 - 1}
    found = set_quotas(engine, client.client_id, second, defaults)
    assert dict(found) == {**DEFAULTS, "submissionsAtOnce": 0, "storedItems": 2**53 - 1}
    assert dict(get_quotas(engine, client.client_id, defaults)) == dict(found)
    assert told(engine, client) == [
        {"openBatches": 3, "webhooks": None, "submissionsAtOnce": 0},
        {"webhooks": "default", "openBatches": None, "storedItems": 2**53 - 1},
    ]


def test_what_changes_nothing_is_not_told(
    engine: Engine, client: ClientSecret, settings: Settings
) -> None:
    defaults = default_quotas(settings)
    set_quotas(engine, client.client_id, {"webhooks": "default"}, defaults)
    set_quotas(engine, client.client_id, {}, defaults)
    assert told(engine, client) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nonsense", 1),
        ("webhooks", -1),
        ("webhooks", 1.5),
        ("webhooks", "1"),
        ("webhooks", ""),
        ("webhooks", True),
        ("webhooks", 2**53),
        ("webhooks", []),
        ("requestsPerSecond", 0),
    ],
)
def test_what_cannot_be_is_named_and_nothing_is_set(
    engine: Engine, client: ClientSecret, settings: Settings, name: str, value: Any
) -> None:
    defaults = default_quotas(settings)
    with pytest.raises(Invalid) as refused:
        set_quotas(engine, client.client_id, {"openBatches": 1, name: value}, defaults)
    assert [error.pointer for error in refused.value.errors] == [f"/{name}"]
    assert dict(get_quotas(engine, client.client_id, defaults)) == DEFAULTS


def test_only_a_client_that_is_there_has_quotas(
    engine: Engine, client: ClientSecret, settings: Settings
) -> None:
    defaults = default_quotas(settings)
    with pytest.raises(NotFound):
        get_quotas(engine, uuid4(), defaults)
    revoke_client(engine, client.client_id)
    with pytest.raises(NotFound):
        set_quotas(engine, client.client_id, {"webhooks": 1}, defaults)


def test_a_process_knows_of_a_change_within_a_second(
    engine: Engine, client: ClientSecret, settings: Settings
) -> None:
    clock = Clock()
    defaults = default_quotas(settings)
    callers = RecentCallers(engine, clock=clock, defaults=defaults)

    def known() -> dict[str, int | None]:
        caller = callers.find(client.secret)
        assert caller is not None
        return dict(caller.quotas)

    assert known() == DEFAULTS
    set_quotas(engine, client.client_id, {"openBatches": 1}, defaults)
    clock.forward(1)
    assert known() == {**DEFAULTS, "openBatches": 1}


def test_the_defaults_are_settings() -> None:
    given = {
        "QUOTA_REQUESTS_PER_SECOND": "10",
        "QUOTA_SUBMISSIONS_AT_ONCE": "none",
        "QUOTA_WEBHOOKS": "0",
    }
    quotas = default_quotas(load_settings(given))
    expected = {"requestsPerSecond": 10, "submissionsAtOnce": None, "webhooks": 0}
    assert dict(quotas) == {**DEFAULTS, **expected}
    assert set(quotas) == set(QUOTAS) == set(DEFAULTS)


@pytest.mark.parametrize("value", ["-1", "x", "1.5", "None", str(2**53), "٣"])
def test_a_wrong_default_is_named(value: str) -> None:
    with pytest.raises(SettingsError, match="QUOTA_WEBHOOKS"):
        load_settings({"QUOTA_WEBHOOKS": value})
    with pytest.raises(SettingsError, match="QUOTA_REQUESTS_PER_SECOND"):
        load_settings({"QUOTA_REQUESTS_PER_SECOND": "0"})


def run(settings: Settings, *arguments: str) -> Result:
    environ = {"DATABASE_URL": settings.database_dsn or ""}
    return CliRunner(env=environ).invoke(main, ["clients", "quota", *arguments])


def test_the_command_shows_and_sets(client: ClientSecret, settings: Settings) -> None:
    who = str(client.client_id)
    shown = run(settings, who, "--json")
    assert json.loads(shown.stdout) == DEFAULTS
    done = run(settings, who, "--set", "openBatches=7", "--set", "webhooks=none", "--json")
    assert json.loads(done.stdout) == {**DEFAULTS, "openBatches": 7, "webhooks": None}
    lines = [line.split() for line in run(settings, who).stdout.splitlines()[1:]]
    assert ["openBatches", "7"] in lines
    assert ["webhooks", "none"] in lines
    assert ["submissionsAtOnce", "8", "(default)"] in lines
    done = run(settings, who, "--set", "openBatches=default", "--json")
    assert json.loads(done.stdout)["openBatches"] is None


@pytest.mark.parametrize("given", ["openBatches", "openBatches=-1", "nonsense=1", "openBatches=x"])
def test_the_command_names_what_is_wrong(
    client: ClientSecret, settings: Settings, given: str
) -> None:
    done = run(settings, str(client.client_id), "--set", given)
    assert done.exit_code in (1, 2)
    assert given.partition("=")[0] in done.stderr
