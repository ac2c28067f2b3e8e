"""Requests that change something: read whole, carried out once, and handed to the workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar
from uuid import UUID

from flask import Response, request
from sqlalchemy import Connection

from app.batches.storing import storing
from app.batches.submission import Submission, write
from app.dialects.common.bodies import Items, Sent
from app.web import turns
from app.web.bodies import Body
from app.web.idempotency import attempt
from app.web.quotas import submitting
from app.web.services import services

Parsed = TypeVar("Parsed")


def read_body() -> Body:
    """The request's body, of which nothing has been read yet."""
    return Body(request, services().settings.max_body_bytes)


def carry_out(
    parse: Callable[[Sent], Parsed],
    work: Callable[[Connection, Parsed], Response],
    *,
    stores: UUID | None = None,
    begins: UUID | None = None,
) -> Response:
    """Answer the request by `work`, in one transaction, with what `parse` made of its body.

    `stores`: the id of a batch that it stores; `begins`: of one to hand to the workers then. An
    `Idempotency-Key` is honoured as in the native API: its answer is kept in that transaction.
    """
    here = services()
    with submitting(request), attempt(request) as this:
        body = Body(request, here.settings.max_body_bytes, digest=this.digest, tick=this.tick)
        if this.remembered is not None:
            return this.replay(body)
        with Sent(body) as sent:
            parsed = parse(sent)
            with _place_for(parsed), storing(here.engine, stores or begins) as connection:
                response = work(connection, parsed)
                this.keep(connection, response)
    if begins is not None:
        here.dispatcher.advance(begins)
    return response


def _place_for(parsed: object) -> AbstractContextManager[None]:
    """A place to store much in, where there are many items in what `parse` has made."""
    found = parsed.values() if isinstance(parsed, Mapping) else (parsed,)
    many = any(isinstance(each, Items) and each.many for each in found)
    return turns.storing() if many else nullcontext()


def submit(
    submission: Submission,
    parse: Callable[[Sent], Items],
    respond: Callable[[], Response],
) -> Response:
    """Store a batch of the items that `parse` finds in the body, and let it begin.

    `respond`: makes the answer. Raises what `app.batches.submission.write` raises.
    """

    def store(connection: Connection, items: Items) -> Response:
        write(connection, services().registry, submission, items)
        return respond()

    return carry_out(parse, store, begins=submission.id)
