"""Correlation: ids in every log line, which say what request and what batch it belongs to.

A request gets an id, its caller's or a new one. Every task that it sends carries the id in its
headers, and so does every task that those send in turn; so all lines about a batch can be found by
the id of the request that submitted it. What the sweep sends again has lost it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

from app.core.ids import new_id
from app.core.log_scrubbing import looks_secret

HEADER = "X-Request-Id"
TASK_HEADER = "batchline_request"
_KEY = "requestId"
_USABLE = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
# What a task's arguments are called in the logs.
_ARGUMENTS = {"batch_id": "batch", "wave": "wave", "number": "slice", "webhook_id": "webhook"}


def begin_request(given: str | None, address: str | None = None) -> str:
    """Bind an id for the request that begins: `given` if it is usable, else a new one.

    It is kept in the audit and said in answers, so one that looks like a secret is not usable.

    And the address that it comes from; None where that is not known.
    """
    usable = given is not None and _USABLE.fullmatch(given) and not looks_secret(given)
    request_id = given if given is not None and usable else new_id().hex
    clear_contextvars()
    bind_contextvars(**{_KEY: request_id, "address": address})
    return request_id


def begin_task(request_id: Any, arguments: Mapping[str, Any]) -> None:
    """Bind the ids of the task that begins: the request's, if it carries one, and its own."""
    clear_contextvars()
    found = {name: arguments[key] for key, name in _ARGUMENTS.items() if key in arguments}
    if isinstance(request_id, str):
        found[_KEY] = request_id
    bind_contextvars(**found)


def note(**ids: Any) -> None:
    """Bind ids that became known meanwhile, as text: `clientId`, `keyId`, `batch`."""
    bind_contextvars(**{name: str(value) for name, value in ids.items()})


def end() -> None:
    """Forget everything that was bound."""
    clear_contextvars()


def current_request() -> str | None:
    """The id of the request that led to the current work, or None."""
    found = get_contextvars().get(_KEY)
    return found if isinstance(found, str) else None
