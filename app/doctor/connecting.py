"""What helps where a server cannot be connected to, by what it says."""

from __future__ import annotations

_CURES = (
    # What a server or its driver says, in small letters, and what helps: the first that fits.
    ("read-only", "let {setting} lead to the primary; it may name several hosts"),
    ("password authentication failed", "put the role's user and password right in {setting}"),
    ("no password supplied", "put the role's password into {setting}"),
    ("pg_hba.conf", "let pg_hba.conf admit this machine and role, or change {setting}"),
    ("permission denied for database", "GRANT CONNECT ON DATABASE … TO the role of {setting}"),
    ("not permitted to log in", "ALTER ROLE … LOGIN, or put another role into {setting}"),
    (
        'role "',
        "make the role (CREATE ROLE … LOGIN PASSWORD …), or put its name right in {setting}",
    ),
    ("too many clients", "raise Postgres' max_connections, or put PgBouncer between"),
    ("remaining connection slots", "raise Postgres' max_connections, or put PgBouncer between"),
    ("does not exist", "make it (CREATE DATABASE … ENCODING 'UTF8'), or change {setting}"),
    ("username-password", "put the user and password right in {setting}"),
    # RabbitMQ's, which names how it authenticates.
    (
        "refused for user",
        "let the user of {setting} do it: rabbitmqctl set_permissions -p VHOST USER '.*' '.*' '.*'",
    ),
    ("access_refused", "put the user and password right in {setting}"),
    ("not_allowed - vhost", "rabbitmqctl add_vhost …, or put its name right in {setting}"),
    ("authenticat", "put the password into {setting}: redis://:password@host"),
    (
        "no permissions",
        "let the user of {setting} do it: ACL SETUSER … ~* &* +@all -@dangerous +info",
    ),
    ("misconf", "see the log of the server of {setting}: it cannot save to its disk"),
    ("unknown command", "set {setting} to Redis 6.2 or newer, or to Valkey"),
    ("db index", "change the number at the end of {setting}, or raise Redis' databases"),
    ("name or service not known", "put the host's name right in {setting}, or the name service"),
    ("ssl", "put the parameters of TLS right in {setting}"),
)


def cure_of(said: str, setting: str) -> str:
    """What helps where a server, that `setting` leads to, said this when it was connected to."""
    words = said.lower()
    for part, cure in _CURES:
        if part in words:
            return cure.format(setting=setting)
    return f"start it, or set {setting} to where it is"
