"""POST /v1/batches/{id}/items/retry and /cancel: some of a batch's items."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import marshmallow as ma
from flask import Response, request

from app.api.documents import json_body
from app.api.schemas import BatchSchema
from app.batches.actions.chosen import ITEM_ACTIONS, ItemAction, act_on_items
from app.batches.choices import MOST_INDEXES, UNSUCCESSFUL, Choice
from app.batches.queries import find_batch
from app.core.lifecycle import PENDING
from app.db import read
from app.web.auth import caller, require
from app.web.blueprint import Blueprint
from app.web.bodies import JSON, Body, media_type
from app.web.bounded_fields import MOST_STATUSES, Listed, Nested
from app.web.envelope import Name
from app.web.jsonbody import SMALL, fields_of, read_object
from app.web.owners import Bodies, owner_of
from app.web.problems import loaded
from app.web.responses import answer
from app.web.services import services

blueprint = Blueprint(
    "item_actions",
    __name__,
    url_prefix="/v1/batches/<uuid:batch_id>/items",
    description="Act on some of a batch's items.",
)
_LAST_INDEX = 2**31 - 1
_CHOSEN_FROM: dict[str, tuple[str, ...]] = {"retry": UNSUCCESSFUL, "cancel": (PENDING,)}


def _where(action: str) -> type[ma.Schema]:
    statuses = _CHOSEN_FROM[action]
    fields: dict[str, Any] = {
        "status": Listed(
            ma.fields.String(validate=ma.validate.OneOf(statuses)),
            validate=ma.validate.Length(min=1, max=MOST_STATUSES),
            metadata={"description": "Those that stand so; all that can be unless said."},
        ),
        "failure": Name(metadata={"description": "Those that went wrong by this cause."}),
        "code": ma.fields.Integer(strict=True, validate=ma.validate.Range(min=0, max=_LAST_INDEX)),
        "key": Name(metadata={"description": "Those that touch this record."}),
    }
    return ma.Schema.from_dict(fields, name=f"{action.capitalize()}Where")


class _Chosen(ma.Schema):
    indexes = Listed(
        ma.fields.Integer(strict=True, validate=ma.validate.Range(min=0, max=_LAST_INDEX)),
        validate=ma.validate.Length(min=1, max=MOST_INDEXES),
        metadata={"description": "These. Those that do not exist are passed over."},
    )

    @ma.validates_schema
    def _one_of_both(self, data: dict[str, Any], **_: Any) -> None:
        if ("indexes" in data) == ("where" in data):
            raise ma.ValidationError("Must have either indexes or where.")
        if data.get("where") == {}:
            raise ma.ValidationError("Must say something.", "where")


def _schema(action: str) -> type[ma.Schema]:
    where = Nested(
        _where(action)(unknown=ma.RAISE),
        metadata={"description": "Those for which everything holds that is said."},
    )

    class Chosen(_Chosen):
        class Meta:
            unknown = ma.RAISE

    made: type[ma.Schema] = type(
        f"Items{action.capitalize()}", (Chosen,), {"where": where, "Meta": Chosen.Meta}
    )
    return made


_SCHEMAS = {action: _schema(action) for action in ITEM_ACTIONS}
_EXAMPLES = {
    "retry": {"where": {"status": ["FAILED", "INVALID"]}},
    "cancel": {"indexes": [0]},
}
_WORDS = {
    "retry": (
        "Retry items of a batch",
        "Those of the chosen items of a batch that has ended that did not succeed run again, in "
        "the order of their keys. A large number goes on behind the answer: see `doing`.",
    ),
    "cancel": (
        "Cancel items of a batch",
        "Those of the chosen items of a batch that has not ended that are PENDING end CANCELED. A "
        "large number goes on behind the answer: see `doing`.",
    ),
}


class SelectedSchema(ma.Schema):
    """How many items were chosen, and the batch as it is then."""

    selected = ma.fields.Integer(required=True)
    batch = ma.fields.Nested(BatchSchema, required=True)


def _offer(action: ItemAction) -> None:
    summary, description = _WORDS[action]

    @blueprint.route(f"/{action}", methods=["POST"], endpoint=action)
    @require("batches.write", or_admin=True)
    @blueprint.response(202, SelectedSchema)
    @blueprint.alt_response(409, "CONFLICT")
    @blueprint.doc(
        operationId=f"{action}Items",
        summary=summary,
        description=f"{description} What does not qualify is passed over; 409 names the state "
        "where nothing is left.",
        requestBody=json_body(_SCHEMAS[action], _EXAMPLES[action]),
    )
    def take(batch_id: UUID) -> Response:
        return _do(batch_id, action)


for _action in ITEM_ACTIONS:
    _offer(_action)


def _do(batch_id: UUID, action: ItemAction) -> Response:
    here, client_id = services(), owner_of(batch_id)
    loaded(ma.Schema.from_dict({})(unknown=ma.RAISE), request.args)
    selected = act_on_items(
        here.engine, client_id, batch_id, action, _choice(action), quotas=caller().quotas
    )
    here.dispatcher.advance(batch_id)
    batch = read(here.engine, lambda connection: find_batch(connection, client_id, batch_id))
    return answer({"selected": selected, "batch": Bodies([batch])(batch)}, 202)


def _choice(action: ItemAction) -> Choice:
    body = Body(request, SMALL).read_all()
    if body:
        media_type(request, (JSON,))
    said = loaded(_SCHEMAS[action](), fields_of(read_object(body), longest=SMALL) if body else {})
    where = said.get("where", {})
    indexes = said.get("indexes")
    return Choice(
        statuses=tuple(dict.fromkeys(where.get("status", ()))),
        failure=where.get("failure"),
        code=where.get("code"),
        key=where.get("key"),
        indexes=None if indexes is None else tuple(sorted(set(indexes))),
    )
