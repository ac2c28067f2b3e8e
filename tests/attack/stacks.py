"""The stack that is attacked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from app.core.addresses import hosts_and_networks
from app.core.settings import Settings
from tests.support.stack import Stack, running_stack

# Where receivers of ours listen. Every other private address is one that webhooks must not reach.
_ALLOWED = "127.0.0.1"
_NAMES = "tests.support.hostile_resolver"


@contextmanager
def attacked_stack(settings: Settings) -> Iterator[Stack]:
    """A stack whose webhooks may go to 127.0.0.1 and nowhere else inside.

    Its processes resolve the names of `tests.support.hostile_names` to what these say.
    """
    own = replace(settings, webhook_allow_private=False, webhook_allow=hosts_and_networks(_ALLOWED))
    with running_stack(own, handlers=_NAMES, extra={"WEBHOOK_ALLOW": _ALLOWED}) as stack:
        yield stack
