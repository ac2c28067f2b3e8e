"""Bare Flask: the query of `GET /v1/batches/{id}` and nothing around it, under the same gunicorn.

No credentials, no schema, no ETag: what Flask and Postgres need for such an answer by themselves.
"""

from __future__ import annotations

from uuid import UUID

import msgspec
from flask import Flask, Response
from sqlalchemy import create_engine

from app.batches.batch_view import BATCH_COLUMNS
from app.core.settings import load_settings
from app.db.statements.batch_views import select_batch


def create_app() -> Flask:
    """The application; its one route is /batches/<client>/<batch>."""
    settings = load_settings()
    flask = Flask("bare")
    engine = create_engine(
        settings.database_url or "", isolation_level="AUTOCOMMIT", pool_size=20, max_overflow=0
    )
    statement = select_batch(BATCH_COLUMNS)

    @flask.get("/batches/<uuid:client_id>/<uuid:batch_id>")
    def show(client_id: UUID, batch_id: UUID) -> Response:
        """The batch's row, as JSON."""
        with engine.connect() as connection:
            found = connection.execute(statement, {"client_id": client_id, "batch_id": batch_id})
            row = dict(found.mappings().one())
        return Response(msgspec.json.encode(row), mimetype="application/json")

    return flask
