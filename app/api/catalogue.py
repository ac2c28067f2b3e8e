"""/v1/operations and /v1/limits: the operations, and the limits of requests."""

from __future__ import annotations

from flask import Response

from app.api.jsonschema import item_schema
from app.api.schemas import LimitsSchema, OperationListSchema
from app.web.auth import require
from app.web.blueprint import Blueprint
from app.web.responses import answer
from app.web.services import services

blueprint = Blueprint(
    "operations", __name__, url_prefix="/v1", description="What can be asked for, and how much."
)


@blueprint.route("/operations", methods=["GET"])
@require("batches.read")
@blueprint.response(200, OperationListSchema)
def operations() -> Response:
    """List the operations"""
    return answer(
        {
            "data": [
                {
                    "name": operation.name,
                    "description": operation.description,
                    "schema": item_schema(operation.schema),
                    "key": list(operation.key),
                    "collection": operation.collection,
                    "maxAttempts": operation.max_attempts,
                    "timeoutSeconds": operation.timeout_seconds,
                    "bulk": operation.bulk,
                }
                for operation in services().registry
            ]
        }
    )


@blueprint.route("/limits", methods=["GET"])
@require("batches.read")
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
