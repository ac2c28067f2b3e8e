"""/healthz: the process answers."""

from __future__ import annotations

from flask import Response
from flask_smorest import Blueprint

from app.api.answers import answer

blueprint = Blueprint("health", __name__, description="Whether it runs.")


@blueprint.route("/healthz")
@blueprint.response(200, description="The process answers.")
def healthz() -> Response:
    """Say that the process is there."""
    return answer({"status": "ok"})
