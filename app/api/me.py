"""/v1/me: who calls, and what it may."""

from __future__ import annotations

import marshmallow as ma
from flask import Response

from app.api.client_schemas import QuotasSchema, UsageSchema
from app.web.auth import caller, require
from app.web.blueprint import Blueprint
from app.web.responses import answer
from app.web.usage import usage_of

blueprint = Blueprint("me", __name__, url_prefix="/v1", description="Who calls.")


class MeSchema(ma.Schema):
    """The caller."""

    clientId = ma.fields.UUID(required=True)
    name = ma.fields.String(required=True, metadata={"description": "The client's."})
    keyId = ma.fields.UUID(required=True)
    scopes = ma.fields.List(
        ma.fields.String(), required=True, metadata={"description": "The key's, sorted."}
    )
    quotas = ma.fields.Nested(
        QuotasSchema, required=True, metadata={"description": "The client's; null is unlimited."}
    )
    usage = ma.fields.Nested(
        UsageSchema, required=True, metadata={"description": "How much of each quota is used."}
    )


@blueprint.route("/me", methods=["GET"])
@require(None)
@blueprint.doc(operationId="getMe")
@blueprint.response(200, MeSchema)
def me() -> Response:
    """Show who calls

    By any key that is good, whatever its scopes.
    """
    who = caller()
    return answer(
        {
            "clientId": who.client_id,
            "name": who.name,
            "keyId": who.key_id,
            "scopes": sorted(who.scopes),
            "quotas": dict(who.quotas),
            "usage": usage_of(who.client_id),
        }
    )
