"""Correlation: ids in every log line, which say what request and what batch it belongs to.

A request gets an id, its caller's or a new one. A batch keeps that of the request that submitted it
(`request_id` in its row), and whoever works on the batch has it on their lines, whichever message
brought them to it. Tasks carry the id in their headers as well: for what they do before they know
which batch that is for, and for those that are about none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

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


def work_on(batch_id: UUID, client_id: UUID, request_id: str | None, **where: int) -> None:
    """Bind the ids of the batch that is worked on from here, in place of all that were bound.

    `request_id`: of the request that submitted it; None where that is not known. `where`: its
    `wave` and `slice`, where it is one of them.
    """
    clear_contextvars()
    bind_contextvars(batch=str(batch_id), clientId=str(client_id), **where)
    if request_id is not None:
        bind_contextvars(**{_KEY: request_id})


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
