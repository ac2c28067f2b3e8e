"""Storing what was sent as a batch, by the functions that the API's submissions go through."""

from __future__ import annotations

import time
from contextlib import nullcontext

from app.batches.admission import refuse_larger
from app.batches.intake import MOST_ITEMS
from app.batches.storing import storing
from app.batches.submission import Submission, intake_of, line_of, write_intake
from app.clients.idempotency_keys import Claim, Remembered
from app.core.errors import KeyInFlight, WrongState
from app.core.lifecycle import PENDING
from app.formats import Spool
from app.web import turns
from app.web.auth import caller
from app.web.idempotency import ticking
from app.web.services import services

_PATIENCE = 15.0
_AGAIN = 0.2


def store(
    submission: Submission, spool: Spool, claim: Claim | None = None, fingerprint: bytes = b""
) -> str:
    """Store the items of `spool` as that batch, and have it begin; the address of its page.

    `claim`: keeps that address, with `fingerprint`, in the same transaction. Raises what the API's
    submission raises.
    """
    here, path = services(), f"/console/batches/{submission.id}"
    refuse_larger(caller().quotas, spool.count)
    items = spool.items()
    intake = intake_of(
        here.registry, submission, items if claim is None else ticking(items, claim.touch)
    )
    with (
        nullcontext() if spool.count <= MOST_ITEMS else turns.storing(),
        storing(here.engine, submission.id) as connection,
    ):
        write_intake(connection, here.registry, submission, intake)
        if claim is not None:
            claim.keep(
                connection,
                fingerprint=fingerprint,
                status=303,
                headers={"Location": path},
                body=b"",
            )
    if submission.first_status == PENDING:
        here.dispatcher.in_line(submission.id, line_of(here.registry, submission.operation))
    return path


def take(claim: Claim) -> Remembered | None:
    """Claim it, or tell what came of it before.

    Whoever clicks twice is shown the answer to the second click: it waits for the first. Raises
    WrongState where that takes very long.
    """
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return claim.take()
        except KeyInFlight as error:
            if time.monotonic() > until:
                raise WrongState(
                    "These items are being submitted just now. Look at the batches in a moment."
                ) from error
        with turns.resting():
            time.sleep(_AGAIN)
