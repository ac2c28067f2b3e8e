"""/metrics, for Prometheus."""

from __future__ import annotations

import secrets

from flask import Response, request
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from app.core.errors import Unauthenticated
from app.metrics.exposition import expose
from app.web.auth import bearer
from app.web.blueprint import Blueprint
from app.web.services import services

blueprint = Blueprint("metrics", __name__, description="For Prometheus.")


@blueprint.route("/metrics", methods=["GET"])
@blueprint.response(200, content_type="text/plain", description="Prometheus' text format.")
@blueprint.alt_response(401, "UNAUTHORIZED")
def metrics() -> Response:
    """Tell Prometheus how things stand

    The same whichever process answers. Where `METRICS_TOKEN` is set it is wanted as bearer.
    """
    here = services()
    wanted = here.settings.metrics_token
    if wanted is not None:
        given = bearer(request)
        if given is None or not secrets.compare_digest(given.secret.encode(), wanted.encode()):
            raise Unauthenticated("This needs the metrics token as bearer.")
    page = expose(
        here.engine,
        here.redis,
        here.dispatcher.celery,
        own=[operation.name for operation in here.registry.own],
        stale=here.settings.heartbeat_timeout,
        patience=here.settings.starving_seconds,
    )
    return Response(page, content_type=CONTENT_TYPE_LATEST)
