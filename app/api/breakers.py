"""/v1/operations/{name}/breaker: an operation is left alone, or let go on, by an admin."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from flask import Response, request

from app.api.catalogue import operation_bodies
from app.api.documents import json_body
from app.api.schemas import OperationSchema
from app.batches.breakers.by_hand import set_breaker
from app.batches.breakers.waking import MOST_SENT, wake
from app.core.errors import NotFound
from app.core.lifecycle import BREAKER_CLOSED, BREAKER_OPEN
from app.db import transaction
from app.web.auth import caller, require
from app.web.blueprint import Blueprint
from app.web.bodies import JSON, Body, media_type
from app.web.jsonbody import SMALL, fields_of, read_object
from app.web.problems import invalid, loaded
from app.web.responses import answer
from app.web.services import services

blueprint = Blueprint(
    "breakers", __name__, url_prefix="/v1", description="Operations that are left alone: `admin`."
)


class BreakerSchema(ma.Schema):
    """How a breaker is to stand."""

    state = ma.fields.String(
        required=True,
        validate=ma.validate.OneOf([BREAKER_OPEN, BREAKER_CLOSED]),
        metadata={"description": "`open`: nothing of it begins until it is closed again."},
    )
    base = ma.fields.String(
        load_default=None,
        allow_none=True,
        metadata={"description": "Which of its bases; null for all of the operation."},
    )


@blueprint.route("/operations/<path:name>/breaker", methods=["POST"])
@require("admin")
@blueprint.response(200, OperationSchema)
@blueprint.doc(
    operationId="setBreaker",
    requestBody=json_body(BreakerSchema, {"state": "closed", "base": None}),
)
def set_state(name: str) -> Response:
    """Open or close an operation's breaker

    Opened, it stays so, without tries, until it is closed. Without a `base` it is about all of the
    operation; closed, its bases are closed too. What is as asked already stays as it is.
    """
    here = services()
    loaded(ma.Schema.from_dict({})(unknown=ma.RAISE), request.args)
    media_type(request, (JSON,))
    fields: dict[str, Any] = loaded(
        BreakerSchema(), fields_of(read_object(Body(request, SMALL).read_all()))
    )
    with transaction(here.engine) as connection:
        body = operation_bodies(connection).get(name)
        if body is None:
            raise NotFound(f"There is no operation {name}.")
        base = fields["base"]
        known = {one["base"] for one in body["breakers"]} - {None}
        if base is not None and base not in known:
            raise invalid({"base": [f"The operation has no base {base!r}."]})
        changed = set_breaker(
            connection,
            caller().client_id,
            name,
            base,
            opened=fields["state"] == BREAKER_OPEN,
        )
        shown = operation_bodies(connection)[name]
    if changed and fields["state"] == BREAKER_CLOSED:
        with transaction(here.engine) as connection:
            woken = wake(connection)
        for batch in woken[:MOST_SENT]:
            here.dispatcher.advance(batch.id, batch.queue)
    return answer(shown)
