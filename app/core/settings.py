"""Settings: one frozen object, read from the environment once, by whoever starts a process.

Each is declared once: name, default, what is taken, and what it means. docs/operating.md shows them
as a table, which a test compares with this file. Nothing here looks at the environment when it is
imported; `load_settings` does when it is called, and names every wrong variable at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from environs import ValidationError

from app.core import addresses
from app.core.declared import (
    declarations,
    flag,
    integer,
    one_of,
    parsed,
    read_settings,
    seconds,
    setting,
    text,
)
from app.core.errors import SettingsError
from app.core.secret_files import SUFFIX

MIB = 1024 * 1024
GIB = 1024 * MIB


def _absolute_path(value: str) -> Path:
    return Path(value).expanduser().absolute()


def _modules(value: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in value.split(",") if part.strip())
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            raise ValidationError(f"{name!r} is no module name.")
    return names


def _user_and_password(value: str) -> str:
    user, _, password = value.partition(":")
    if not user or not password:
        raise ValidationError("Must be user:password.")
    return value


def _quota(value: str) -> int | None:
    if value == "none":
        return None
    if not value.isascii() or not value.isdigit() or int(value) >= 2**53:
        raise ValidationError("Must be a whole number, or none.")
    return int(value)


def _rate(value: str) -> int | None:
    rate = _quota(value)
    if rate == 0:
        raise ValidationError("Must be above 0, or none.")
    return rate


@dataclass(frozen=True, slots=True)
class Settings:
    """What every part of Batchline is configured by. Variables are the field names in capitals."""

    # Addresses
    bind_host: str = setting(
        "127.0.0.1",
        parsed(addresses.listening_address),
        "address the API listens on; `0.0.0.0` is every one of this machine",
    )
    port: int = setting(8000, integer(0, 65535), "port of the API; 0 takes a free one")
    forwarded_allow_ips: tuple[IPv4Network | IPv6Network, ...] = setting(
        (),
        parsed(addresses.networks),
        "proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed: addresses and "
        "networks, comma-separated; unset: nobody's, loopback's neither",
    )
    flower_address: str = setting("127.0.0.1", text(), "address Flower listens on")
    flower_port: int = setting(5555, integer(0, 65535), "port of Flower; 0 takes a free one")
    database_url: str | None = setting(
        None,
        parsed(addresses.database_url),
        "Postgres (`postgresql://…/name`); unset: `batchline serve` starts one of its own",
        secret=True,
    )
    redis_url: str | None = setting(
        None,
        parsed(addresses.redis_url),
        "Redis (`redis://`, `rediss://`, `unix://`): chords' counts, counters, and the broker "
        "unless `BROKER_URL` is set; unset: `batchline serve` starts one of its own",
        secret=True,
    )
    explicit_broker_url: str | None = setting(
        None,
        parsed(addresses.broker_url),
        "the broker, where it is not `REDIS_URL`: `redis://` or `amqp://`",
        variable="BROKER_URL",
        secret=True,
    )
    """As given; read `broker_url`, which falls back to Redis."""
    batchline_home: Path = setting(
        Path("var"), parsed(_absolute_path), "folder of the embedded servers' data and Flower's"
    )
    """Absolute: `load_settings` sees to it."""

    # Handlers, and what they and webhooks may reach
    handlers: tuple[str, ...] = setting(
        (), parsed(_modules), "modules of handlers to import, comma-separated"
    )
    http_handler_bases: Mapping[str, str] = setting(
        {},
        parsed(addresses.named_bases),
        "where `http.request` may go: `name=https://host/prefix`, comma-separated; unset: it is "
        "not offered",
        secret=True,
    )
    webhook_allow: addresses.Reachable = setting(
        addresses.Reachable(),
        parsed(addresses.hosts_and_networks),
        "private addresses that webhooks may go to, by http too: hosts, addresses and networks "
        "(`10.1.0.0/16`), comma-separated",
    )
    webhook_allow_private: bool = setting(
        False, flag(), "`1`: webhooks may go to every private and loopback address"
    )
    webhook_show_bodies: bool = setting(
        False, flag(), "`1`: clients are shown what private receivers answered, too"
    )

    # Who may look on
    metrics_token: str | None = setting(
        None, text(), "if set, `/metrics` wants it as bearer", secret=True
    )
    flower_basic_auth: str | None = setting(
        None, parsed(_user_and_password), "`user:password` that Flower wants", secret=True
    )

    # Limits of requests
    max_items_json: int = setting(100_000, integer(1), "most items of a JSON request")
    max_items_stream: int = setting(
        5_000_000, integer(1), "most items of an NDJSON or CSV request, and of a batch in all"
    )
    max_item_bytes: int = setting(256 * 1024, integer(1), "most bytes of an item")
    max_body_bytes: int = setting(128 * MIB, integer(1), "most bytes of a JSON body, decompressed")
    max_stream_bytes: int = setting(
        8 * GIB,
        integer(1),
        "most bytes of an NDJSON or CSV body, decompressed, and of the items that a CSV makes, "
        "which repeat its header",
    )
    spool_bytes: int = setting(
        0,
        integer(0),
        "bytes of large bodies that a web process holds in `TMPDIR` at once, at most half of them "
        "one client's; past it a body is told 503, or 413 if it alone is larger than that half; 0: "
        "an eighth of what is free there at the start, at most 16 GiB",
    )
    default_page_size: int = setting(100, integer(1), "entries of a page, unless `limit` says")
    max_page_size: int = setting(1000, integer(1), "most entries of a page")
    max_wait_seconds: int = setting(60, integer(0, 600), "longest `?wait=`, in seconds")

    # What a client may have, unless `batchline clients quota` says otherwise for it
    quota_requests_per_second: int | None = setting(
        None, parsed(_rate), "requests a second of a client, and twice as many at once; or `none`"
    )
    quota_submissions_at_once: int | None = setting(
        8, parsed(_quota), "submissions that a client may have under way; or `none`"
    )
    quota_open_batches: int | None = setting(
        None, parsed(_quota), "batches of a client that have not ended; or `none`"
    )
    quota_pending_items: int | None = setting(
        None, parsed(_quota), "items of a client that are to be processed; or `none`"
    )
    quota_stored_items: int | None = setting(
        None, parsed(_quota), "items of a client, whatever became of them; or `none`"
    )
    quota_streams_at_once: int | None = setting(
        100, parsed(_quota), "waits and event streams of a client; or `none`"
    )
    quota_webhooks: int | None = setting(50, parsed(_quota), "webhooks of a client; or `none`")

    # Processes
    web_workers: int = setting(
        0, integer(0, 1024), "web processes; 0: one for each core, at most four"
    )
    web_threads: int = setting(
        700,
        integer(1, 1024),
        "requests at once in a web process, of which four of five may be waiting for a batch",
    )
    worker_concurrency: int = setting(2, integer(1, 1024), "processes of a worker")
    slow_concurrency: int = setting(32, integer(1, 1024), "threads of a slow worker")
    worker_stop_seconds: float = setting(
        10.0,
        seconds(),
        "seconds after which a worker that was told to stop has ended; what it has not finished it "
        "gives back",
    )
    worker_memory_mib: int = setting(
        2048,
        integer(0, MIB),
        "address space of a worker's process, in MiB; what wants more fails with a MemoryError; "
        "0: no limit",
    )

    # The engine
    heartbeat_interval: float = setting(3.0, seconds(), "seconds between a worker's heartbeats")
    heartbeat_timeout: float = setting(
        12.0, seconds(), "seconds without one after which a worker is taken for dead"
    )
    starving_seconds: float = setting(
        30.0,
        seconds(),
        "seconds for which a worker may take nothing although it could and messages wait; then it "
        "counts as none, and ends itself",
    )
    # Half of the two seconds within which a due schedule starts.
    sweep_interval: float = setting(1.0, seconds(), "seconds between two sweeps")
    resend_after: float = setting(
        20.0,
        seconds(),
        "seconds after which a slice that nobody claimed is sent again; then twice as long, and "
        "so on",
    )
    slice_target_seconds: float = setting(0.25, seconds(60), "seconds that a slice should take")
    max_slice_items: int = setting(5000, integer(1, 100_000), "most items of a slice")
    # Without an end a busy system fills its disk within a year; a quarter is longer than anybody
    # has been seen to look back. What must be kept is exported, or kept with 0.
    retention_days: int = setting(
        90,
        integer(0, 36_500),
        "days after which ended batches are removed, with their items (0 keeps them), and webhook "
        "deliveries (0: 30 days)",
    )
    audit_retention_days: int = setting(
        365, integer(0, 36_500), "days after which what was done is forgotten; 0 keeps it"
    )

    # Logs
    log_format: str = setting(
        "auto", one_of("auto", "json", "console"), "`json`, `console`, or `auto`: by the terminal"
    )
    log_level: str = setting(
        "INFO",
        one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", fold=str.upper),
        "`DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`",
    )

    @property
    def database_dsn(self) -> str | None:
        """`database_url` as libpq, psycopg2 and psql spell it (`postgresql://…`)."""
        return None if self.database_url is None else addresses.libpq_url(self.database_url)

    @property
    def broker_url(self) -> str | None:
        """Celery's broker, as kombu spells it: `BROKER_URL`, else Redis. None if neither is set."""
        url = self.explicit_broker_url or self.redis_url
        return None if url is None else addresses.kombu_url(url)

    @property
    def result_backend_url(self) -> str | None:
        """Celery's result backend: always Redis, as Celery spells it."""
        return None if self.redis_url is None else addresses.kombu_url(self.redis_url)

    def require_servers(self, *, database: bool = True, redis: bool = True) -> Settings:
        """Return self if the servers a component needs are configured.

        Raises SettingsError naming `DATABASE_URL` and/or `REDIS_URL`. A broker given by
        `BROKER_URL` does not stand in for Redis: results, progress and limits live there.
        """
        missing = [
            name
            for name, wanted, value in (
                ("DATABASE_URL", database, self.database_url),
                ("REDIS_URL", redis, self.redis_url),
            )
            if wanted and not value
        ]
        if missing:
            raise SettingsError(
                f"{' and '.join(missing)} must be set: `batchline serve` starts servers of its own "
                f"and writes their addresses to {self.batchline_home / 'env'}"
            )
        return self

    def with_servers(self, *, database_url: str, redis_url: str) -> Settings:
        """The same settings with other servers, e.g. those just started under BATCHLINE_HOME."""
        return replace(
            self,
            database_url=addresses.database_url(database_url),
            redis_url=addresses.redis_url(redis_url),
        )


def variables_given(environ: Mapping[str, str]) -> dict[str, str]:
    """Those of Batchline's own variables that `environ` sets, `…_FILE` too, as they are there."""
    declared = declarations(Settings)
    own = sorted(
        [one.variable for one in declared]
        + [f"{one.variable}{SUFFIX}" for one in declared if one.secret]
    )
    return {name: environ[name] for name in own if environ.get(name, "").strip()}


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and check every setting. Raises SettingsError naming each variable that is wrong."""
    settings = read_settings(Settings, environ)
    _check_together(settings)
    return replace(settings, batchline_home=settings.batchline_home.absolute())


def _check_together(settings: Settings) -> None:
    """Raise SettingsError for values that are right one by one, but not beside each other."""
    problems = []
    if settings.default_page_size > settings.max_page_size:
        problems.append("DEFAULT_PAGE_SIZE: Must not be above MAX_PAGE_SIZE.")
    if settings.heartbeat_timeout < 2 * settings.heartbeat_interval:
        # One late beat must not cost a living worker its claims.
        problems.append("HEARTBEAT_TIMEOUT: Must be at least twice HEARTBEAT_INTERVAL.")
    if settings.max_item_bytes > settings.max_body_bytes:
        problems.append("MAX_ITEM_BYTES: Must not be above MAX_BODY_BYTES.")
    if problems:
        raise SettingsError("\n".join(problems))


def flower_is_open(settings: Settings, address: str | None = None) -> None:
    """Raise SettingsError where Flower would listen beyond this machine without credentials.

    `address`: the one that it is really started with, if that is not the setting's.
    """
    address = settings.flower_address if address is None else address
    if settings.flower_basic_auth or addresses.is_loopback(address):
        return
    raise SettingsError(
        "FLOWER_BASIC_AUTH: must be set where Flower listens beyond this machine "
        f"(FLOWER_ADDRESS is {address!r})."
    )
