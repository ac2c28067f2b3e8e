"""Adding items to a job, which takes them as long as it has not been started."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response
from sqlalchemy import Connection

from app.batches.appending import append
from app.dialects.common.batches import id_of
from app.dialects.common.bodies import Items, Sent
from app.dialects.common.submitting import carry_out
from app.dialects.kibo.dialect import NAME
from app.web.auth import caller
from app.web.item_limits import most_items
from app.web.responses import answer
from app.web.services import services


def add_items(code: str, operation: str, read: Callable[[Sent], Items]) -> Response:
    """Append the items that `read` finds in the body, all of `operation`, to the caller's job.

    Raises NotFound for the job, and WrongState once it has been started.
    """

    def parse(body: Sent) -> Items:
        return read(body).of(operation)

    def store(connection: Connection, items: Items) -> Response:
        here = services()
        who = caller()
        total = append(
            connection,
            here.registry,
            who.client_id,
            id_of(connection, NAME, code),
            items,
            count=len(items),
            most=most_items(NAME),
            operations=who.operations,
            quotas=who.quotas,
        )
        return answer({"batchJobCode": code, "added": len(items), "totalCount": total}, 202)

    return carry_out(parse, store)
