"""`batchline doctor`: what is wrong with an installation, a line each, with its cure.

It changes nothing but a key of its own in Redis, and looks at each part by itself, so that one that
is away hides no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from app.core.errors import SettingsError
from app.core.settings import Settings
from app.doctor.finding import Finding, wrong
from app.doctor.of_broker import look_at_broker
from app.doctor.of_connections import look_at_connections
from app.doctor.of_machine import look_at_machine
from app.doctor.of_postgres import look_at_postgres
from app.doctor.of_redis import look_at_redis
from app.doctor.of_settings import look_at_settings
from app.doctor.of_workers import look_at_workers

__all__ = ["Finding", "examine"]

_PARTS: dict[str, Callable[[Settings], Iterator[Finding]]] = {
    "settings": look_at_settings,
    "machine": look_at_machine,
    "Postgres": look_at_postgres,
    "connections": look_at_connections,
    "Redis": look_at_redis,
    "broker": look_at_broker,
    "workers": look_at_workers,
}


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything, part by part. Raises nothing that a part raises: that is a finding."""
    for about, look in _PARTS.items():
        try:
            yield from look(settings)
        except SettingsError as error:
            yield from (wrong(about, line, "set it right") for line in str(error).splitlines())
        except Exception as error:  # whatever a driver raises, the other parts are looked at
            yield wrong(
                about,
                f"could not be looked at: {_in_a_line(error)}",
                "mend what else is wrong here, or see the log",
            )


def _in_a_line(error: Exception) -> str:
    said = " ".join(str(error).split("\n(Background")[0].split())
    return said or type(error).__name__
