"""The palette: what is found while one types, for whichever page it was opened on.

Without scripts the field in the head of each page leads to the list of batches.
"""

from __future__ import annotations

from flask import redirect, request
from werkzeug.wrappers import Response as BaseResponse

from app.batches.searching import search_batches
from app.console.shell.asked import address, text_of
from app.console.shell.page import Page
from app.db import read
from app.web.auth import caller
from app.web.owners import as_they_wait, client_names
from app.web.services import services

page = Page(__name__)
MOST = 8


@page.get("/search")
def found() -> BaseResponse:
    """The batches, as options to choose from; the latest where nothing is asked for."""
    text = text_of(request.args, "text")
    everything = address("/console/batches", [("text", text)])
    if "HX-Request" not in request.headers:
        return redirect(everything, 303)
    who = caller()
    client_id = None if who.is_admin else who.client_id
    batches = read(
        services().engine,
        lambda connection: search_batches(connection, client_id, text, limit=MOST),
    )
    return page.answer(
        "found.html",
        batches=as_they_wait(batches),
        clients=client_names(each.client_id for each in batches),
        text=text,
        everything=everything,
    )
