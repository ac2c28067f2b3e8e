"""The first page: what state the system is in, at a glance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Response, current_app, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from app.clients.checks import client_id_of
from app.clients.credentials import list_clients
from app.console.pages.overview.figures import Board
from app.console.pages.overview.state import state_of
from app.console.shell.page import Link, Page
from app.console.shell.rendering import part
from app.console.shell.sign_in_form import HOME, safe_path
from app.web.auth import caller
from app.web.owners import as_they_wait, client_names
from app.web.services import services

page = Page(__name__, link=Link("Overview", HOME))
_BOARD = "batchline.console.board"


@page.get("")
def show() -> BaseResponse:
    """The page. With `next`, that one: who has signed in meanwhile goes on."""
    wanted = safe_path(request.args.get("next", HOME))
    if wanted != HOME:
        return redirect(wanted, 303)
    values = _values()
    return page.answer(
        "page.html",
        clients=list_clients(services().engine) if caller().is_admin else (),
        client=values["client"],
        live=part("overview/live.html", **values),
    )


@page.get("/live")
def live() -> Response:
    """What of it moves."""
    return page.live("live.html", **_values())


def _values() -> dict[str, Any]:
    who = caller()
    asked = client_id_of(request.args.get("client", "")) if who.is_admin else None
    figures = _board().figures(asked if who.is_admin else who.client_id)
    figures = replace(figures, latest=as_they_wait(figures.latest))
    return {
        "f": figures,
        "state": state_of(figures),
        # The one that an admin asks for, and whose the batches are.
        "client": "" if asked is None else str(asked),
        "names": client_names(each.client_id for each in figures.latest),
    }


def _board() -> Board:
    board: Board | None = current_app.extensions.get(_BOARD)
    if board is None:
        settings = services().settings
        made = Board(services().engine, stale=settings.heartbeat_timeout, patience=30)
        board = current_app.extensions.setdefault(_BOARD, made)
    return board
