"""What goes wrong below `/console`, as a page in words, with the same status."""

from __future__ import annotations

from flask import Flask, Response

from app.console.shell.rendering import render
from app.web.problems import ProblemDetails, render_errors_under

_ADVICE = {
    404: "It may have been deleted, or it belongs to another client.",
    409: "Somebody, or the system, was quicker. Look at the batch again.",
    429: "Wait a moment, and load the page again.",
    500: "It has been logged. Load the page again.",
    503: "Load the page again in a few seconds.",
}


def register(flask: Flask) -> None:
    """Show them so."""
    render_errors_under(flask, "/console", error_page)


def error_page(problem: ProblemDetails) -> Response:
    """The page. It asks nothing of the database, which may be what is away."""
    headers = {k: v for k, v in problem.headers.items() if k != "WWW-Authenticate"}
    response = render(
        "error.html",
        problem.status,
        title=problem.title,
        detail=problem.detail,
        advice=_ADVICE.get(problem.status, ""),
    )
    response.headers.update(headers)
    return response
