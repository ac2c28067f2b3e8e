"""Errors as the dialects answer them.

The systems that they follow know a 400 for whatever is wrong with a request; the native API tells
apart what is malformed, what is invalid and what is too large.
"""

from __future__ import annotations

from dataclasses import replace

from flask import Response

from app.core.errors import KeyReused, Malformed
from app.web.problems import ProblemDetails, type_of
from app.web.problems import render as render_problem

_ALL_BAD_REQUESTS = (413, 415, 422)
_KEY_REUSED = type_of(KeyReused)


def bad_request(problem: ProblemDetails) -> ProblemDetails:
    """`problem`, as a 400 where it says that the request is at fault."""
    if problem.status not in _ALL_BAD_REQUESTS:
        return problem
    return replace(
        problem,
        status=Malformed.status,
        title=Malformed.title,
        # What a caller has to tell apart from a fault of the body stays told apart.
        type=problem.type if problem.type == _KEY_REUSED else type_of(Malformed),
    )


def render(problem: ProblemDetails) -> Response:
    """application/problem+json: for systems whose documents show no shape of their own."""
    return render_problem(bad_request(problem))
