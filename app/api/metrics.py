"""/metrics, for Prometheus."""

from __future__ import annotations

import secrets

from flask import Response, current_app, request
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from app.api.documents import text_answer
from app.core.errors import Unauthenticated
from app.metrics.exposition import expose
from app.web.auth import BEARER, bearer
from app.web.blueprint import Blueprint
from app.web.copies import Copy
from app.web.services import services

_PAGES = "batchline.metrics"
_KEPT_SECONDS = 1.0
blueprint = Blueprint("metrics", __name__, description="For Prometheus.")


@blueprint.route("/metrics", methods=["GET"])
@blueprint.doc(operationId="getMetrics", security=[{}, {BEARER: []}])
@blueprint.response(
    200,
    **text_answer("# TYPE batchline_batches gauge\n"),
    content_type="text/plain",
    description="Prometheus' text format.",
)
@blueprint.alt_response(401, "UNAUTHORIZED")
def metrics() -> Response:
    """Tell Prometheus how things stand

    At most a second old, and the same whichever process answers. Where `METRICS_TOKEN` is set it is
    wanted as bearer.
    """
    here = services()
    wanted = here.settings.metrics_token
    if wanted is not None:
        given = bearer(request)
        if given is None or not secrets.compare_digest(given.secret.encode(), wanted.encode()):
            raise Unauthenticated("This needs the metrics token as bearer.")
    page = _pages().get(
        lambda: expose(
            here.engine,
            here.redis,
            here.dispatcher.celery,
            own=[operation.name for operation in here.registry.own],
            stale=here.settings.heartbeat_timeout,
            patience=here.settings.starving_seconds,
        )
    )
    return Response(page, content_type=CONTENT_TYPE_LATEST)


def _pages() -> Copy[bytes]:
    """The application's one page, which is made at most once a second, however many ask for it."""
    made: Copy[bytes] = current_app.extensions.setdefault(_PAGES, Copy(_KEPT_SECONDS))
    return made
