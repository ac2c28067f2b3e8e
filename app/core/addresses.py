"""Addresses in settings: which are taken, and how the libraries spell the same server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import parse_qs, unquote, urlencode, urlsplit, urlunsplit

from environs import ValidationError


def listening_address(value: str) -> str:
    """An IP address. Raises ValidationError, as everything here that reads a value does."""
    try:
        return str(ip_address(value))
    except ValueError:
        raise ValidationError("Must be an IP address.") from None


def networks(value: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Addresses and networks (CIDR), comma-separated."""
    found = []
    for part in value.split(","):
        try:
            found.append(ip_network(part.strip()))
        except ValueError as error:
            raise ValidationError(
                f"Must be addresses or networks, comma-separated, as 10.0.0.0/8 is ({error})."
            ) from None
    return tuple(found)


def is_loopback(address: str) -> bool:
    """Whether what listens there can be reached from this machine alone."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def database_url(value: str) -> str:
    """A Postgres database, as SQLAlchemy spells it; several servers of it as libpq spells them."""
    value = _hosts_in_query(value)
    _check_url(value, ("postgresql", "postgres", "postgresql+psycopg2"))
    # Named in full: what SQLAlchemy takes for a bare `postgresql://` changes between versions.
    url = re.sub(r"^postgres(ql)?(\+psycopg2)?://", "postgresql+psycopg2://", value)
    if not urlsplit(url).path.strip("/"):
        raise ValidationError("Names no database (…/name).")
    _read_as_libpq(url)
    return url


def _read_as_libpq(url: str) -> None:
    """Raise ValidationError for what a process would stumble over at its first connection.

    Of what libpq says nothing is told but the name of a parameter: it may quote a password.
    """
    from psycopg2 import ProgrammingError  # not for commands that need no database
    from psycopg2.extensions import parse_dsn

    try:
        parse_dsn(libpq_url(url))
    except ProgrammingError as error:
        unknown = re.search(r'invalid URI query parameter: ("[\w.-]{1,60}")', str(error))
        raise ValidationError(
            f"The parameter {unknown[1]} cannot be used." if unknown else "Not a valid URL."
        ) from None


def _hosts_in_query(value: str) -> str:
    """`//a:1,b:2/name` as `///name?host=a,b&port=1,2`, which SQLAlchemy and libpq both read.

    A socket's folder in the host's place, `//%2Frun%2Fpostgresql/name`, likewise.

    Raises ValidationError for a port that is none.
    """
    try:
        parts = urlsplit(value)
    except ValueError:
        return value  # _check_url says what is wrong
    credentials, at, servers = parts.netloc.rpartition("@")
    if "," not in servers and not servers.upper().startswith("%2F"):
        return value
    hosts, ports = [], []
    for server in servers.split(","):
        host, _, port = server.rpartition(":") if _HAS_PORT.search(server) else (server, "", "")
        if not host or (port and not port.isdecimal()):
            raise ValidationError("Not a valid URL (of several servers each is host or host:port).")
        hosts.append(unquote(host.strip("[]")))
        ports.append(port)
    query = f"host={','.join(hosts)}&port={','.join(ports)}"
    if parts.query:
        query += f"&{parts.query}"
    return f"{parts.scheme}://{credentials}{at}{parts.path}?{query}"


# Behind an IPv6 address, which has colons of its own, only where that is in brackets.
_HAS_PORT = re.compile(r"(^[^:]*|\]):[^:\]]*$")


def libpq_url(url: str) -> str:
    """The same database as libpq, psycopg2 and psql spell it."""
    return url.replace("postgresql+psycopg2://", "postgresql://", 1)


# What both redis-py and kombu take of a URL's parameters, by scheme.
_OF_TLS = frozenset({"ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
_PARAMETERS: Mapping[str, frozenset[str]] = {"rediss": _OF_TLS, "redis": frozenset()}
_CERTIFICATES = ("none", "optional", "required")


def redis_url(value: str) -> str:
    """A Redis database, as redis-py and kombu both read it: `?db=1` becomes its path.

    `ssl_cert_reqs` may be written as kombu alone has it, `CERT_NONE`. Raises ValidationError for a
    parameter or a value that one of them does not know, where a worker would end, and for one that
    is given twice, of which each would take another.
    """
    _check_url(value, ("redis", "rediss", "unix"))
    parts = urlsplit(value)
    given = parse_qs(parts.query)
    if twice := sorted(name for name, values in given.items() if len(values) > 1):
        raise ValidationError(f"The parameter {twice[0]!r} is given twice.")
    query = {name: values[0] for name, values in given.items()}
    database = query.pop("db", None)
    if unknown := sorted(set(query) - _PARAMETERS.get(parts.scheme, frozenset())):
        raise ValidationError(f"The parameter {unknown[0]!r} cannot be used.")
    if parts.scheme == "unix":
        _number(database or "0")
        return value
    path = parts.path.strip("/")
    if database is not None and path not in ("", database):
        raise ValidationError("The database is given twice (…/0?db=1).")
    _number(path or database or "0")
    if "ssl_cert_reqs" in query:
        query["ssl_cert_reqs"] = _certificates(query["ssl_cert_reqs"])
    elif database is None:
        return value
    path = parts.path if database is None else f"/{database}"
    return urlunsplit(parts._replace(path=path, query=urlencode(query)))


def _certificates(wanted: str) -> str:
    """What of a certificate is wanted, as redis-py writes it and kombu reads it too."""
    plain = wanted.lower().removeprefix("cert_")
    if plain not in _CERTIFICATES:
        raise ValidationError(f"ssl_cert_reqs must be one of {', '.join(_CERTIFICATES)}.")
    return plain


def _number(database: str) -> None:
    if not database.isdecimal():
        raise ValidationError("The database must be a number (…/0).")


def broker_url(value: str) -> str:
    """A broker: Redis or RabbitMQ."""
    _check_url(value, ("redis", "rediss", "amqp", "amqps"))
    return redis_url(value) if value.startswith("redis") else value


def kombu_url(url: str) -> str:
    """The same broker as Kombu and Celery spell it: sockets and TLS otherwise than redis-py."""
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


def named_bases(value: str) -> dict[str, str]:
    """`name=https://host/prefix`, comma-separated, as a dict, without a slash at the end."""
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


@dataclass(frozen=True, slots=True)
class Reachable:
    """Hosts, in lower case, and networks."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.hosts or self.networks)


_HOST = re.compile(
    r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)*"
)


def hosts_and_networks(value: str) -> Reachable:
    """Names of hosts, addresses and networks (`10.0.0.0/8`), comma-separated."""
    hosts, networks = set(), []
    for part in filter(None, (part.strip() for part in value.split(","))):
        try:
            networks.append(ip_network(part))
            continue
        except ValueError as error:
            # What has a slash, a colon or digits alone was not meant to be a name.
            if re.search(r"[/:]|^[\d.]+$", part):
                raise ValidationError(f"{part!r} is no network ({error}).") from None
        name = part.rstrip(".").lower()
        if not _HOST.fullmatch(name):
            raise ValidationError(f"{part!r} is neither a host's name nor an address or network.")
        hosts.add(name)
    return Reachable(frozenset(hosts), tuple(networks))


def _check_url(value: str, schemes: tuple[str, ...]) -> None:
    """Raise ValidationError unless `value` is a URL of one of `schemes`, with a usable port."""
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
