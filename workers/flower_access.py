"""Flower's credentials: given to it where they are in a file, and wanted off the loopback.

Whoever reaches Flower without them can stop workers and see what every client does.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence

from app.core.settings import Settings, flower_is_open

_OWN = ("--basic-auth", "--basic_auth", "--auth")


def guard_flower(
    settings: Settings, arguments: Sequence[str], environ: MutableMapping[str, str]
) -> None:
    """Check what Flower is started with; nothing where another of Celery's programs is.

    `arguments`, `environ`: the process's own. Raises SettingsError.
    """
    if "flower" not in arguments:
        return
    if settings.flower_basic_auth:
        # Flower reads it from there, and knows nothing of files.
        environ["FLOWER_BASIC_AUTH"] = settings.flower_basic_auth
    elif not any(one.startswith(_OWN) for one in arguments):
        flower_is_open(settings, _option(arguments, "--address"))


def _option(arguments: Sequence[str], name: str) -> str | None:
    for place, one in enumerate(arguments):
        if one.startswith(f"{name}="):
            return one.partition("=")[2]
        if one == name and place + 1 < len(arguments):
            return arguments[place + 1]
    return None
