"""Submitting by a form: the items are checked by a dry run, whose items are then submitted."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, cast
from uuid import UUID

from flask import Response, g, redirect, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response as BaseResponse

from app.batches.batch_view import BatchView
from app.batches.checks import find_check, once, read_inputs, require_submittable
from app.batches.failures.reading import list_failures
from app.batches.submission import Submission
from app.batches.submission import check as check_envelope
from app.batches.waiting import as_it_waits
from app.clients.idempotency_keys import Claim, Remembered, find_remembered
from app.console.pages.submit.examples import template
from app.console.pages.submit.offered import offers
from app.console.pages.submit.reading import fill
from app.console.pages.submit.sent import Sent, sent_by
from app.console.pages.submit.taking_in import store, take
from app.console.pages.submit.typed import (
    LABELS,
    Typed,
    address_of,
    faults_of,
    submission_asked,
    typed_of,
    typed_of_check,
)
from app.console.shell import csrf
from app.console.shell.page import Link, Page
from app.console.shell.rendering import part
from app.console.shell.roles import SUBMIT
from app.core.errors import BatchlineError, Forbidden, Invalid, Malformed, NotFound, WrongState
from app.core.jsontext import dumps
from app.db import read
from app.formats import Spool
from app.web.auth import caller
from app.web.quotas import submitting
from app.web.services import services
from app.web.spooling import new_spool
from app.web.submissions import submission_by_caller

PATH = "/console/submit"
page = Page(__name__, link=Link("Submit", PATH), scope=SUBMIT)
MOST_FAILURES = 50
_KINDS = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
# What is told beside the fields; others leave nothing to be corrected in them.
_IN_FORM = frozenset({400, 403, 409, 413, 415, 422, 429, 503})
_LONGEST_IN_QUERY = 2000
_BATCH = "/console/batches/"


@page.get("/submit")
def show() -> Response:
    """The form; what its query says stands in it."""
    query = {name: text[:_LONGEST_IN_QUERY] for name, text in request.args.items()}
    return _form(typed_of(query), "")


@page.get("/submit/template")
def download() -> Response:
    """A file with example items of the operation, to be filled in."""
    kind, name = request.args.get("format", ""), request.args.get("operation", "")
    found = next((each for each in offers() if each.name == name), None)
    if found is None or kind not in _KINDS or (kind == "csv" and not found.in_csv):
        raise NotFound("There is no such template.")
    text = template(found, services().registry.own.get(name), kind)
    filename = f"{re.sub(r'[^A-Za-z0-9._-]', '_', name)[:100]}.{kind}"
    headers = {
        "Content-Disposition": f'attachment; filename="{filename}"',
        "Cache-Control": "no-store",
    }
    return Response(text, headers=headers, mimetype=_KINDS[kind])


@page.post("/submit", scope=SUBMIT, streamed=True)
def check() -> BaseResponse:
    """Take the items in as a dry run, which leads to its page."""
    here = services()
    most = here.settings.max_stream_bytes
    sent = sent_by(request, most)
    csrf.check_token(request, sent.fields.get(csrf.FIELD, ""), g.console_token)
    typed = typed_of(sent.fields)
    try:
        with submitting(request, small=False), new_spool() as spool:
            asked = _asked(typed)
            line = _spool(sent, typed, spool)
            dry = submission_by_caller(
                operation=asked.operation, name=asked.name, metadata=asked.metadata, dry_run=True
            )
            store(dry, spool)
    except BatchlineError as error:
        if error.status not in _IN_FORM:
            raise
        # So that the browser, which sends all before it listens, gets to see the answer.
        sent.drain()
        return _form(typed, sent.fields.get("items", ""), error)
    return redirect(f"{PATH}/{dry.id}{address_of(typed, line=str(line or ''))}", 303)


@page.get("/submit/<uuid:check_id>")
def checked(check_id: UUID) -> Response:
    """What the check has found, and the form by which its items are submitted."""
    return _checked(check_id)


@page.get("/submit/<uuid:check_id>/live")
def live(check_id: UUID) -> Response:
    """What of it moves. Where the check is gone, an open page loads anew, which says so."""
    try:
        return page.live("live.html", **_found(check_id))
    except NotFound:
        if "HX-Request" not in request.headers:
            raise
        return Response(status=200, headers={"HX-Refresh": "true"})


@page.post("/submit/<uuid:check_id>", scope=SUBMIT)
def submit(check_id: UUID) -> BaseResponse:
    """Submit the check's items, once."""
    here, who, key_id = services(), caller(), caller().key_id
    batch = read(here.engine, lambda connection: find_check(connection, who.client_id, check_id))
    typed = {**typed_of(request.form), "operation": batch.operation or ""}
    fingerprint = hashlib.sha256(dumps([str(key_id), typed]).encode()).digest()
    claim = Claim(here.engine, who.client_id, once(check_id))
    try:
        with submitting(request, small=False):
            before = take(claim)
            if before is None:
                return redirect(_submitted(batch, typed, claim, fingerprint), 303)
    except BatchlineError as error:
        if error.status not in _IN_FORM:
            raise
        return _checked(check_id, typed, error)
    path = _path_of(before)
    if before.fingerprint == fingerprint and path:
        return redirect(path, 303)
    return _checked(check_id, typed, WrongState("These items have been submitted before."))


def _submitted(batch: BatchView, typed: Typed, claim: Claim, fingerprint: bytes) -> str:
    """Submit them under the claim, which is given back where that is refused; the batch's path."""
    here, key_id = services(), caller().key_id

    def alive() -> Iterator[list[bytes]]:
        for items in read_inputs(here.engine, batch):
            claim.touch()
            yield items

    def allowed(connection: Connection) -> None:
        require_submittable(connection, batch, key_id)

    try:
        read(here.engine, allowed)
        submission = _asked(typed)
        with new_spool() as spool:
            spool.fill_blocks(alive())
            # Once more, now that they have been read: nobody has changed them meanwhile.
            read(here.engine, allowed)
            return store(submission, spool, claim, fingerprint)
    except BaseException:
        claim.release()
        raise


def _asked(typed: Typed) -> Submission:
    """The submission that was typed, as far as it can be looked at without its items."""
    here, submission = services(), submission_asked(typed)
    read(here.engine, lambda connection: check_envelope(submission, here.registry, connection))
    return submission


def _spool(sent: Sent, typed: Typed, spool: Spool) -> int | None:
    """Read the items that were chosen or pasted; the number of the first line, if they have any."""
    settings = services().settings
    if sent.file is None:
        pasted = sent.fields.get("items", "")
        if not pasted.strip():
            raise Invalid("There are no items: choose a file, or paste some.")
        source = cast(BinaryIO, io.BytesIO(pasted.encode()))
        return fill(spool, source, "", settings)
    line = fill(spool, sent.file, sent.filename, settings)
    sent.finish()
    if sent.fields.get("items", "").strip():
        raise Invalid("There are a file and pasted items: leave one of them away.")
    if typed_of(sent.fields) != typed:
        raise Malformed("The form's fields have to stand in front of its file.")
    return line


def _form(typed: Typed, items: str, error: BatchlineError | None = None) -> Response:
    found = offers()
    return _answer(
        "page.html",
        error,
        typed=typed,
        items=items,
        offers=found,
        chosen=typed["operation"] if typed["operation"] in {each.name for each in found} else "",
        settings=services().settings,
    )


def _checked(
    check_id: UUID, typed: Typed | None = None, error: BatchlineError | None = None
) -> Response:
    found = _found(check_id)
    return _answer(
        "check.html",
        error,
        typed=typed_of_check(found["batch"], request.args) if typed is None else typed,
        batch=found["batch"],
        submitted=found["submitted"],
        refusal=found["refusal"],
        live=part("submit/live.html", **found),
    )


def _found(check_id: UUID) -> dict[str, Any]:
    """The check, what it has found, and whether its items can be submitted."""
    who = caller()
    line = request.args.get("line", "")

    def look(connection: Connection) -> dict[str, Any]:
        batch = find_check(connection, who.client_id, check_id)
        failed = batch.summary.failed + batch.summary.invalid
        before = find_remembered(connection, who.client_id, once(check_id))
        try:
            refusal = None
            require_submittable(connection, batch, who.key_id)
        except (Forbidden, WrongState) as error:
            refusal = error.detail
        return {
            "batch": batch,
            "failed": failed,
            "failures": list_failures(connection, who.client_id, check_id, limit=MOST_FAILURES)
            if failed
            else [],
            "submitted": _path_of(before),
            "refusal": refusal,
        }

    found = read(services().engine, look)
    found["batch"] = as_it_waits(found["batch"], services().registry)
    first = int(line) if line in ("1", "2") else None
    return {**found, "line": first}


def _answer(template_name: str, error: BatchlineError | None, **values: Any) -> Response:
    faults = [] if error is None else list(faults_of(error.errors))
    response = page.answer(
        template_name,
        200 if error is None else error.status,
        labels=LABELS,
        error=error,
        # Of items it is the sentence that says where: its line.
        faults=[each for each in faults if each[0] and each[0] != "items"],
        wrong={name for name, _ in faults},
        **values,
    )
    if error is not None and error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _path_of(before: Remembered | None) -> str:
    """Where the batch is that they have been submitted as; empty where they have not."""
    path = "" if before is None else before.headers.get("Location", "")
    return path if path.startswith(_BATCH) else ""
