"""Settings: what is read, what is refused, and how a refusal reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from kombu import Connection
from psycopg2.extensions import parse_dsn
from redis import Redis
from sqlalchemy import make_url

from app.core.errors import SettingsError
from app.core.settings import Settings, load_settings


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    settings = load_settings({})
    assert settings.port == 8000
    assert settings.flower_port == 5555
    assert settings.database_url is None
    assert settings.broker_url is None
    assert settings.batchline_home == Path("var").absolute()
    assert settings.max_item_bytes == 262_144
    assert settings.max_body_bytes == 134_217_728
    assert settings.max_stream_bytes == 8 * 1024**3
    assert settings == Settings(batchline_home=Path("var").absolute())


def test_an_empty_variable_counts_as_unset() -> None:
    assert load_settings({"DATABASE_URL": "", "PORT": " ", "HANDLERS": ""}) == load_settings({})


def test_all_wrong_values_are_named_at_once_without_telling_secrets() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(
            {
                "PORT": "70000",
                "WEB_THREADS": "many",
                "DATABASE_URL": "mysql://me:hunter2@host/db",
                "LOG_LEVEL": "loud",
                "WEBHOOK_ALLOW_PRIVATE": "maybe",
            }
        )
    message = str(caught.value)
    named = [line.partition(":")[0] for line in message.splitlines()]
    wrong = ["DATABASE_URL", "LOG_LEVEL", "PORT", "WEBHOOK_ALLOW_PRIVATE", "WEB_THREADS"]
    assert named == wrong
    assert "70000" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "-1"),
        ("PORT", "8000.5"),
        ("FLOWER_PORT", "x"),
        ("DATABASE_URL", "postgresql://host:port/db"),
        ("DATABASE_URL", "postgresql://host"),
        ("DATABASE_URL", "postgresql://one:1,two:port/db"),
        ("DATABASE_URL", "postgresql://one:1,/db"),
        ("DATABASE_URL", "postgresql://host/db?connect_time=5"),
        ("DATABASE_URL", "postgresql://me:%zz@host/db"),
        ("REDIS_URL", "http://host"),
        ("REDIS_URL", "redis://host/name"),
        ("REDIS_URL", "redis://"),
        ("BROKER_URL", "sqs://x"),
        ("HANDLERS", "good.module,not-a-module"),
        ("HTTP_HANDLER_BASES", "https://host"),
        ("HTTP_HANDLER_BASES", "a=ftp://host"),
        ("HTTP_HANDLER_BASES", "a=https://"),
        ("HTTP_HANDLER_BASES", "a=https://host/?q=1"),
        ("HTTP_HANDLER_BASES", "a=https://one,a=https://two"),
        ("FLOWER_BASIC_AUTH", "nopassword"),
        ("LOG_FORMAT", "xml"),
        ("HEARTBEAT_INTERVAL", "0"),
        ("HEARTBEAT_INTERVAL", "nan"),
        ("HEARTBEAT_TIMEOUT", "4"),
        ("RETENTION_DAYS", "-1"),
        ("MAX_PAGE_SIZE", "10"),
        ("WORKER_CONCURRENCY", "0"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        load_settings({variable: value})


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2%zz@host/db",
        "postgresql://me:hunter2@host/db?hunter2",
        "postgresql://host/db?password=hunter2&passwort=hunter2",
    ],
)
def test_what_libpq_says_of_a_url_is_not_told(url: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL") as refused:
        load_settings({"DATABASE_URL": url})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "given", ["postgres://u:p@h:1/d", "postgresql://u:p@h:1/d", "postgresql+psycopg2://u:p@h:1/d"]
)
def test_database_urls_are_made_one_spelling(given: str) -> None:
    settings = load_settings({"DATABASE_URL": given})
    assert settings.database_url == "postgresql+psycopg2://u:p@h:1/d"
    assert settings.database_dsn == "postgresql://u:p@h:1/d"


@pytest.mark.parametrize(
    ("given", "query"),
    [
        ("postgres://u:p@a:1,b:2/d", "?host=a,b&port=1,2"),
        ("postgresql://u:p@a,[::1]:2/d?sslmode=require", "?host=a,::1&port=,2&sslmode=require"),
        ("postgresql://u:p@/d?host=a,b&port=1,2", "?host=a,b&port=1,2"),
        ("postgresql://u:p@%2Frun%2Fpg:5433/d", "?host=/run/pg&port=5433"),
        ("postgres://u:p@%2frun%2fpg,b:2/d", "?host=/run/pg,b&port=,2"),
        (
            "postgresql://u:p@a,b:2/d?options=-c%20search_path%3Dx",
            "?host=a,b&port=,2&options=-c%20search_path%3Dx",
        ),
    ],
)
def test_several_servers_are_spelt_as_both_libraries_read_them(given: str, query: str) -> None:
    settings = load_settings({"DATABASE_URL": given})
    assert settings.database_url == f"postgresql+psycopg2://u:p@/d{query}"
    assert settings.database_dsn == f"postgresql://u:p@/d{query}"
    dsn = parse_dsn(settings.database_dsn)
    assert (dsn["host"], dsn["port"]) == tuple(make_url(settings.database_url).query.values())[:2]


@pytest.mark.parametrize(
    ("redis_url", "broker_url"),
    [
        ("redis://:pw@host:1/2", "redis://:pw@host:1/2"),
        ("unix:///run/redis.sock?db=2", "redis+socket:///run/redis.sock?virtual_host=2"),
        ("rediss://host/0", "rediss://host/0?ssl_cert_reqs=CERT_REQUIRED"),
        ("rediss://host/0?ssl_cert_reqs=none", "rediss://host/0?ssl_cert_reqs=none"),
        ("redis://:pw@host:1/?db=2", "redis://:pw@host:1/2"),
        ("redis://host?db=2", "redis://host/2"),
        ("redis://host/2?db=2", "redis://host/2"),
        ("rediss://host?db=2&ssl_cert_reqs=none", "rediss://host/2?ssl_cert_reqs=none"),
        ("rediss://host/2?ssl_cert_reqs=CERT_NONE", "rediss://host/2?ssl_cert_reqs=none"),
        ("rediss://host?ssl_cert_reqs=REQUIRED", "rediss://host?ssl_cert_reqs=required"),
    ],
)
def test_redis_is_the_broker_unless_another_is_given(redis_url: str, broker_url: str) -> None:
    assert load_settings({"REDIS_URL": redis_url}).broker_url == broker_url
    # What processes do with it when they start.
    with Redis.from_url(load_settings({"REDIS_URL": redis_url}).redis_url or "") as redis:
        redis.connection_pool.make_connection()
    with Connection(load_settings({"REDIS_URL": redis_url}).broker_url or "") as connection:
        assert connection.virtual_host in ("0", "2", "/")  # of a socket it is in the host's name
        assert connection.transport is not None
    other = load_settings({"REDIS_URL": redis_url, "BROKER_URL": "amqp://guest@rabbit//"})
    assert other.broker_url == "amqp://guest@rabbit//"
    assert other.result_backend_url == broker_url


def test_missing_servers_are_named() -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL and REDIS_URL must be set"):
        load_settings({"BROKER_URL": "amqp://rabbit"}).require_servers()
    only_database = load_settings({"DATABASE_URL": "postgresql://h/d"})
    assert only_database.require_servers(redis=False) is only_database
    with pytest.raises(SettingsError, match=r"^REDIS_URL must be set"):
        only_database.require_servers()


def test_lists_and_maps() -> None:
    settings = load_settings(
        {
            "HANDLERS": "one, two.three,",
            "HTTP_HANDLER_BASES": "erp=https://erp.example:8443/api/, crm=http://crm",
            "WEBHOOK_ALLOW_PRIVATE": "1",
        }
    )
    assert settings.handlers == ("one", "two.three")
    assert settings.http_handler_bases == {
        "erp": "https://erp.example:8443/api",
        "crm": "http://crm",
    }
    assert settings.webhook_allow_private is True


@pytest.mark.parametrize("variable", ["REDIS_URL", "BROKER_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter2@host/0?db=1",
        "redis://:hunter2@host/?db=one",
        "redis://:hunter2@host/0?health_check_interval=5",
        "redis://:hunter2@host/0?ssl_cert_reqs=none",
        "rediss://:hunter2@host/0?protocol=3",
        "rediss://:hunter2@host/0?ssl_cert_reqs=maybe",
        "rediss://:hunter2@host/0?ssl_cert_reqs=none&ssl_cert_reqs=required",
    ],
)
def test_a_parameter_that_would_end_the_workers_is_refused(variable: str, url: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable}: ") as refused:
        load_settings({variable: url})
    assert "hunter2" not in str(refused.value)


def test_what_webhooks_may_reach() -> None:
    allowed = load_settings(
        {"WEBHOOK_ALLOW": "Hooks.internal., 10.1.0.0/16,192.168.7.7, fd12::/16,localhost,"}
    ).webhook_allow
    assert allowed.hosts == {"hooks.internal", "localhost"}
    assert sorted(map(str, allowed.networks)) == ["10.1.0.0/16", "192.168.7.7/32", "fd12::/16"]
    assert load_settings({}).webhook_allow.networks == ()


@pytest.mark.parametrize(
    "entry",
    ["10.1.2.3/16", "10.0.0.0/33", "hooks.internal:8080", "http://hooks.internal", "10.1", "a b"],
)
def test_an_entry_that_says_nothing_is_named(entry: str) -> None:
    with pytest.raises(SettingsError, match=r"^WEBHOOK_ALLOW: ") as refused:
        load_settings({"WEBHOOK_ALLOW": f"10.0.0.0/8,{entry}"})
    assert repr(entry) in str(refused.value)


def test_the_repr_tells_no_secret() -> None:
    settings = load_settings(
        {
            "DATABASE_URL": "postgresql://u:hunter2@h/d",
            "REDIS_URL": "redis://:hunter2@h/0",
            "METRICS_TOKEN": "hunter2",
            "FLOWER_BASIC_AUTH": "u:hunter2",
        }
    )
    assert "hunter2" not in repr(settings)
