"""Settings that are right one by one, and yet not what anybody means."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping

from app.core.addresses import is_loopback
from app.core.declared import declarations
from app.core.errors import SettingsError
from app.core.secret_files import SUFFIX
from app.core.settings import Settings, flower_is_open, variables_given
from app.doctor.finding import Finding, doubtful, fine, wrong
from app.doctor.of_bases import look_at_bases

_ABOUT = "settings"
# How alike a name must be to one of ours to be taken for a mistake.
_ALIKE = 0.9


def look_at_settings(
    settings: Settings, environ: Mapping[str, str] = os.environ
) -> Iterator[Finding]:
    """They have been read already: here is what contradicts, and what is open and should not be."""
    given = variables_given(environ)
    shown = ", ".join(given) or "none"
    yield fine(_ABOUT, f"given: {shown}")
    yield fine(_ABOUT, _kept(settings.retention_days))
    yield from _misspelt(environ)
    try:
        flower_is_open(settings)
    except SettingsError as error:
        yield wrong(_ABOUT, str(error), "set FLOWER_BASIC_AUTH to user:password")
    if not is_loopback(settings.bind_host) and not settings.metrics_token:
        yield doubtful(_ABOUT, "/metrics is open to whoever reaches the API", "set METRICS_TOKEN")
    if settings.webhook_allow_private:
        yield doubtful(
            _ABOUT,
            "webhooks may go to every private address (WEBHOOK_ALLOW_PRIVATE)",
            "name those that are meant in WEBHOOK_ALLOW",
        )
    yield from look_at_bases(settings.http_handler_bases)
    if settings.resend_after <= settings.sweep_interval:
        yield doubtful(
            _ABOUT,
            "RESEND_AFTER is not above SWEEP_INTERVAL: each sweep sends again what merely waits",
            "leave RESEND_AFTER at its default",
        )


def _kept(days: int) -> str:
    """How long batches stay: removed data is what nobody should learn of by missing it."""
    if days:
        return f"batches are removed {days:,} days after they ended (RETENTION_DAYS)"
    return "ended batches are kept for ever (RETENTION_DAYS=0)"


def _misspelt(environ: Mapping[str, str]) -> Iterator[Finding]:
    ours = {one.variable for one in declarations(Settings)}
    for name in sorted(environ):
        plain = name.removesuffix(SUFFIX)
        if plain in ours or not plain.isupper():
            continue
        meant = difflib.get_close_matches(plain, ours, n=1, cutoff=_ALIKE)
        if meant:
            yield doubtful(_ABOUT, f"{name} is no setting", f"perhaps {meant[0]} is meant")
