"""Settings: one frozen object, read from the environment once, by whoever starts a process.

Nothing here looks at the environment when it is imported; `load_settings` does when it is called,
and names every wrong variable at once. An empty variable counts as unset.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from environs import Env, EnvValidationError, ValidationError, validate

from app.core.errors import SettingsError

MIB = 1024 * 1024
GIB = 1024 * MIB

# Values that hold a password: a message about them must not repeat them.
SECRET_VARIABLES = frozenset(
    {
        "DATABASE_URL",
        "REDIS_URL",
        "BROKER_URL",
        "METRICS_TOKEN",
        "FLOWER_BASIC_AUTH",
        "HTTP_HANDLER_BASES",
    }
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What every part of Batchline is configured by. Variables are the field names in capitals."""

    # Addresses
    bind_host: str = "127.0.0.1"
    """The address the API listens on; 0.0.0.0 is every one of this machine."""
    port: int = 8000
    flower_port: int = 5555
    database_url: str | None = field(default=None, repr=False)
    """SQLAlchemy's spelling (`postgresql+psycopg2://…`), or None: not given, nothing embedded."""
    redis_url: str | None = field(default=None, repr=False)
    """redis-py's spelling (`redis://`, `rediss://` or `unix://`)."""
    explicit_broker_url: str | None = field(default=None, repr=False)
    """`BROKER_URL` as given; read `broker_url`, which falls back to Redis."""
    batchline_home: Path = Path("var")
    """Absolute (`load_settings` sees to it): data of embedded servers, Flower's state."""

    # Handlers, and what they and webhooks may reach
    handlers: tuple[str, ...] = ()
    http_handler_bases: Mapping[str, str] = field(default_factory=dict, repr=False)
    webhook_allow_private: bool = False

    # Who may look on
    metrics_token: str | None = field(default=None, repr=False)
    flower_basic_auth: str | None = field(default=None, repr=False)

    # Limits of requests (bytes are bytes of the body after decompression)
    max_items_json: int = 100_000
    max_items_stream: int = 5_000_000
    max_item_bytes: int = 256 * 1024
    max_body_bytes: int = 128 * MIB
    """A JSON body, which is held in memory."""
    max_stream_bytes: int = 8 * GIB
    """An NDJSON or CSV body, which is not."""
    default_page_size: int = 100
    max_page_size: int = 1000
    max_wait_seconds: int = 60

    # Processes
    web_workers: int = 1
    web_threads: int = 700
    """Requests at once, of which four of five may be waiting for a batch (`?wait=`, events)."""
    worker_concurrency: int = 2
    slow_concurrency: int = 32
    worker_stop_seconds: float = 10.0
    """Told to stop, a worker has ended after so long: what it has not finished it gives back."""
    worker_memory_mib: int = 2048
    """Address space of a worker's child: what wants more fails with a MemoryError. 0: no limit."""

    # The engine; times are in seconds
    heartbeat_interval: float = 3.0
    heartbeat_timeout: float = 12.0
    sweep_interval: float = 1.0
    """Half of the two seconds within which a due schedule starts."""
    resend_after: float = 20.0
    """A slice unclaimed for this long is sent again, then after twice as long, and so on."""
    slice_target_seconds: float = 0.25
    max_slice_items: int = 1000
    retention_days: int = 0
    """Ended batches and webhook deliveries older than this are removed; 0 keeps everything."""

    # Logs
    log_format: str = "auto"
    log_level: str = "INFO"

    @property
    def database_dsn(self) -> str | None:
        """`database_url` as libpq, psycopg2 and psql spell it (`postgresql://…`)."""
        if self.database_url is None:
            return None
        return self.database_url.replace("postgresql+psycopg2://", "postgresql://", 1)

    @property
    def broker_url(self) -> str | None:
        """Celery's broker, as kombu spells it: `BROKER_URL`, else Redis. None if neither is set."""
        return _kombu_url(self.explicit_broker_url or self.redis_url)

    @property
    def result_backend_url(self) -> str | None:
        """Celery's result backend: always Redis, as Celery spells it."""
        return _kombu_url(self.redis_url)

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
            self, database_url=_database_url(database_url), redis_url=_redis_url(redis_url)
        )


def variables_given(environ: Mapping[str, str]) -> dict[str, str]:
    """Those of Batchline's own variables that `environ` sets, as they are there."""
    own = {f.name.upper() for f in fields(Settings)} | {"BROKER_URL", "FLOWER_ADDRESS"}
    return {name: environ[name] for name in sorted(own) if environ.get(name, "").strip()}


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and check every setting. Raises SettingsError naming each variable that is wrong."""
    env = _Env(environ)
    default: dict[str, Any] = {f.name: f.default for f in fields(Settings)}

    def integer(name: str, low: int, high: int | None = None) -> int | None:
        return env.int(name.upper(), default[name], validate=validate.Range(low, high))

    def seconds(name: str, high: float = 3600) -> float | None:
        allowed = validate.Range(0, high, min_inclusive=False)
        return env.float(name.upper(), default[name], validate=allowed)

    def text(variable: str, parse: Callable[[str], Any], otherwise: Any) -> Any:
        return env.parsed(variable, parse, otherwise)

    values: dict[str, Any] = {
        "bind_host": text("BIND_HOST", _ip_address, default["bind_host"]),
        "port": integer("port", 0, 65535),
        "flower_port": integer("flower_port", 0, 65535),
        "database_url": text("DATABASE_URL", _database_url, None),
        "redis_url": text("REDIS_URL", _redis_url, None),
        "explicit_broker_url": text("BROKER_URL", _broker_url, None),
        "batchline_home": text("BATCHLINE_HOME", _absolute_path, Path("var").absolute()),
        "handlers": text("HANDLERS", _modules, ()),
        "http_handler_bases": text("HTTP_HANDLER_BASES", _handler_bases, {}),
        "webhook_allow_private": env.bool("WEBHOOK_ALLOW_PRIVATE", False),
        "metrics_token": env.str("METRICS_TOKEN", None),
        "flower_basic_auth": text("FLOWER_BASIC_AUTH", _user_and_password, None),
        "max_items_json": integer("max_items_json", 1),
        "max_items_stream": integer("max_items_stream", 1),
        "max_item_bytes": integer("max_item_bytes", 1),
        "max_body_bytes": integer("max_body_bytes", 1),
        "max_stream_bytes": integer("max_stream_bytes", 1),
        "default_page_size": integer("default_page_size", 1),
        "max_page_size": integer("max_page_size", 1),
        "max_wait_seconds": integer("max_wait_seconds", 0, 600),
        "web_workers": integer("web_workers", 1, 1024),
        "web_threads": integer("web_threads", 1, 1024),
        "worker_concurrency": integer("worker_concurrency", 1, 1024),
        "worker_memory_mib": integer("worker_memory_mib", 0, 1024 * 1024),
        "slow_concurrency": integer("slow_concurrency", 1, 1024),
        "worker_stop_seconds": seconds("worker_stop_seconds"),
        "heartbeat_interval": seconds("heartbeat_interval"),
        "heartbeat_timeout": seconds("heartbeat_timeout"),
        "sweep_interval": seconds("sweep_interval"),
        "resend_after": seconds("resend_after"),
        "slice_target_seconds": seconds("slice_target_seconds", 60),
        "max_slice_items": integer("max_slice_items", 1, 100_000),
        "retention_days": integer("retention_days", 0, 36_500),
        "log_format": text("LOG_FORMAT", _one_of("auto", "json", "console"), default["log_format"]),
        "log_level": text(
            "LOG_LEVEL",
            lambda value: _one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")(value.upper()),
            default["log_level"],
        ),
    }
    env.raise_problems()
    settings = Settings(**values)
    _check_together(settings)
    return settings


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


class _Env(Env):
    """environs over any mapping; empty means unset; problems are gathered, then raised at once."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(eager=False)
        self._source = environ

    def _get_value(self, env_key: str, default: Any) -> Any:
        value = self._source.get(env_key, "").strip()
        return value if value else default

    def parsed(self, variable: str, parse: Callable[[str], Any], default: Any) -> Any:
        """`variable` through `parse`, which raises ValidationError; `default` if it is unset."""
        value = self.str(variable, None)
        if value is None:
            return default
        try:
            return parse(value)
        except ValidationError as error:
            self._errors[variable].extend(str(message) for message in error.messages)
            return default

    def raise_problems(self) -> None:
        """Raise SettingsError with a line a variable, if any was wrong."""
        try:
            self.seal()
        except EnvValidationError as error:
            messages: Mapping[str, Any] = dict(error.error_messages)  # type: ignore[arg-type]
            lines = [
                f"{variable}: {' '.join(map(str, said))}{self._quoted(variable)}"
                for variable, said in sorted(messages.items())
            ]
            raise SettingsError("\n".join(lines)) from None

    def _quoted(self, variable: str) -> str:
        if variable in SECRET_VARIABLES:
            return ""
        return f" It is {self._source.get(variable, '')!r}."


def _one_of(*allowed: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in allowed:
            raise ValidationError(f"Must be one of {', '.join(allowed)}.")
        return value

    return check


def _ip_address(value: str) -> str:
    try:
        return str(ip_address(value))
    except ValueError:
        raise ValidationError("Must be an IP address.") from None


def _absolute_path(value: str) -> Path:
    return Path(value).expanduser().absolute()


def _split_url(value: str, schemes: tuple[str, ...]) -> None:
    """Raise ValidationError unless `value` is a URL of one of `schemes`, with a sane port."""
    wanted = ", ".join(f"{scheme}://" for scheme in schemes)
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises ValueError if it is no port
    except ValueError as error:
        raise ValidationError(f"Not a valid URL ({error}).") from None
    if parts.scheme not in schemes:
        raise ValidationError(f"Must begin with {wanted}.")
    if not parts.netloc and not parts.path.strip("/"):
        raise ValidationError("Names no server.")


def _database_url(value: str) -> str:
    _split_url(value, ("postgresql", "postgres", "postgresql+psycopg2"))
    # Named in full: what SQLAlchemy takes for a bare `postgresql://` changes between versions.
    url = re.sub(r"^postgres(ql)?(\+psycopg2)?://", "postgresql+psycopg2://", value)
    if not urlsplit(url).path.strip("/"):
        raise ValidationError("Names no database (…/name).")
    return url


def _redis_url(value: str) -> str:
    _split_url(value, ("redis", "rediss", "unix"))
    parts = urlsplit(value)
    database = parse_qs(parts.query).get("db", ["0"])[0]
    if parts.scheme != "unix":
        database = parts.path.strip("/") or database
    if not database.isdecimal():
        raise ValidationError("The database must be a number (…/0).")
    return value


def _broker_url(value: str) -> str:
    _split_url(value, ("redis", "rediss", "amqp", "amqps"))
    return value


def _kombu_url(url: str | None) -> str | None:
    """Kombu and Celery spell sockets and TLS otherwise than redis-py does."""
    if url is None:
        return None
    parts = urlsplit(url)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if parts.scheme == "unix":
        database = query.pop("db", "0")
        query["virtual_host"] = database
        return f"redis+socket://{parts.netloc}{parts.path}?{urlencode(query)}"
    if parts.scheme == "rediss" and "ssl_cert_reqs" not in query:
        query["ssl_cert_reqs"] = "CERT_REQUIRED"
        return urlunsplit(parts._replace(query=urlencode(query)))
    return url


def _modules(value: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in value.split(",") if part.strip())
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            raise ValidationError(f"{name!r} is no module name.")
    return names


def _handler_bases(value: str) -> dict[str, str]:
    bases: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in value.split(","))):
        name, separator, url = (piece.strip() for piece in part.partition("="))
        if not separator or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise ValidationError("Each base is written name=https://host/prefix.")
        if name in bases:
            raise ValidationError(f"{name!r} is given twice.")
        try:
            parts = urlsplit(url)
            sane = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            sane = False
        if not sane:
            raise ValidationError(f"{name!r} must be an http:// or https:// URL with a host.")
        if parts.query or parts.fragment:
            raise ValidationError(f"{name!r} must not have a query or a fragment.")
        bases[name] = url.rstrip("/")
    return bases


def _user_and_password(value: str) -> str:
    user, _, password = value.partition(":")
    if not user or not password:
        raise ValidationError("Must be user:password.")
    return value
