"""/v1/operations and /v1/limits: the operations, and the limits of requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response
from sqlalchemy import Connection

from app.api.schemas import LimitsSchema, OperationListSchema
from app.batches.breakers.reading import Breakers
from app.db import transaction
from app.operations.listing import listed
from app.web.auth import require
from app.web.blueprint import Blueprint
from app.web.responses import answer
from app.web.services import services

blueprint = Blueprint(
    "operations", __name__, url_prefix="/v1", description="What can be asked for, and how much."
)


@blueprint.route("/operations", methods=["GET"])
@require("batches.read", or_admin=True)
@blueprint.doc(operationId="listOperations")
@blueprint.response(200, OperationListSchema)
def operations() -> Response:
    """List the operations

    Those that only workers have are among them. `served` becomes true when a worker that has the
    operation starts, and false when the last one has ended.
    """
    with transaction(services().engine) as connection:
        bodies = operation_bodies(connection)
    return answer({"data": list(bodies.values())})


def operation_bodies(connection: Connection) -> dict[str, dict[str, Any]]:
    """All that are listed, by name and in its order."""
    here = services()
    found = listed(connection, here.registry, stale=here.settings.heartbeat_timeout)
    breakers = Breakers(connection)
    return {
        name: {
            "name": name,
            **_entry(one.description),
            "served": one.served,
            **breakers.body(name, one.description),
        }
        for name, one in found.items()
    }


def _entry(description: Mapping[str, Any]) -> dict[str, Any]:
    """What is listed of it. Another release may have said less than this one does."""
    return {
        "description": description.get("description", ""),
        "schema": description.get("schema", {}),
        "key": description.get("key", []),
        "collection": description.get("collection"),
        "maxAttempts": description.get("maxAttempts", 1),
        "timeoutSeconds": description.get("timeoutSeconds", 0),
        "bulk": description.get("bulk", False),
    }


@blueprint.route("/limits", methods=["GET"])
@require("batches.read", or_admin=True)
@blueprint.doc(operationId="getLimits")
@blueprint.response(200, LimitsSchema)
def limits() -> Response:
    """Show the limits"""
    settings = services().settings
    return answer(
        {
            "maxItemsJson": settings.max_items_json,
            "maxItemsStream": settings.max_items_stream,
            "maxItemBytes": settings.max_item_bytes,
            "maxBodyBytes": settings.max_body_bytes,
            "defaultPageSize": settings.default_page_size,
            "maxPageSize": settings.max_page_size,
            "maxWaitSeconds": settings.max_wait_seconds,
        }
    )
