"""/v1/webhooks: where a client is told that its batches have ended, and what was sent there."""

from __future__ import annotations

from operator import attrgetter
from typing import Any
from uuid import UUID

import marshmallow as ma
from flask import Response, request

from app.api.documents import LOCATION, json_body
from app.api.schemas import page_schema
from app.core.jsontext import moment
from app.db import after_commit, read, transaction
from app.db.models.webhook import DELIVERY_STATUSES
from app.events.listeners import listener
from app.web.auth import caller, require
from app.web.blueprint import Blueprint
from app.web.bodies import JSON, Body, media_type
from app.web.bounded_fields import Listed
from app.web.envelope import Name
from app.web.jsonbody import fields_of, read_object
from app.web.paging import PageQuery, page_answer, page_of
from app.web.problems import loaded
from app.web.responses import answer
from app.web.services import services
from app.webhooks.delivery_log import DeliveryEntry, list_deliveries, resend
from app.webhooks.policies import policy_of
from app.webhooks.recording import BATCH_FINISHED, EVENTS
from app.webhooks.registering import (
    WebhookEntry,
    create_webhook,
    get_webhook,
    list_webhooks,
    rotate_secret,
)
from app.webhooks.removing import remove_webhook

blueprint = Blueprint(
    "webhooks", __name__, url_prefix="/v1/webhooks", description="Be told when batches end."
)
_MOST_BYTES = 64 * 1024
_EXAMPLE = {"url": "https://example.com/hooks/batchline", "events": [BATCH_FINISHED]}


class NewWebhookSchema(ma.Schema):
    """A webhook to be registered."""

    class Meta:
        unknown = ma.RAISE

    url = Name(required=True, metadata={"example": "https://example.com/hooks/batchline"})
    events = Listed(Name(metadata={"enum": list(EVENTS)}), load_default=lambda: [BATCH_FINISHED])


class WebhookSchema(ma.Schema):
    """A webhook."""

    id = ma.fields.UUID(required=True)
    url = ma.fields.String(required=True)
    events = ma.fields.List(ma.fields.String(), required=True)
    createdAt = ma.fields.DateTime(required=True)
    disabledAt = ma.fields.DateTime(
        required=True,
        allow_none=True,
        metadata={"description": "Since when nothing is sent any more."},
    )
    disabledReason = ma.fields.String(required=True, allow_none=True)
    previousSecretUntil = ma.fields.DateTime(
        required=True,
        allow_none=True,
        metadata={"description": "Until then the secret before a rotation signs as well."},
    )


class WebhookWithSecretSchema(WebhookSchema):
    """A webhook with its secret, which is shown only in this answer."""

    secret = ma.fields.String(required=True, metadata={"example": "whsec_…"})


class DeliverySchema(ma.Schema):
    """What was sent, or is to be. The response is that of the last try."""

    id = ma.fields.UUID(required=True)
    batchId = ma.fields.UUID(required=True, allow_none=True)
    event = ma.fields.String(required=True)
    status = ma.fields.String(required=True, validate=ma.validate.OneOf(DELIVERY_STATUSES))
    attempts = ma.fields.Integer(required=True)
    createdAt = ma.fields.DateTime(required=True)
    lastAttemptAt = ma.fields.DateTime(required=True, allow_none=True)
    nextAttemptAt = ma.fields.DateTime(required=True, allow_none=True)
    finishedAt = ma.fields.DateTime(required=True, allow_none=True)
    responseStatus = ma.fields.Integer(required=True, allow_none=True)
    responseBody = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Its first KiB; null where the receiver's address is private."},
    )
    error = ma.fields.String(required=True, allow_none=True)
    durationSeconds = ma.fields.Float(required=True, allow_none=True)


WebhookPageSchema = page_schema(WebhookSchema, "WebhookPage")
DeliveryPageSchema = page_schema(DeliverySchema, "DeliveryPage")


@blueprint.route("", methods=["POST"])
@require("webhooks.manage")
@blueprint.response(201, WebhookWithSecretSchema, headers=LOCATION)
@blueprint.doc(operationId="createWebhook", requestBody=json_body(NewWebhookSchema, _EXAMPLE))
def create() -> Response:
    """Register a webhook

    The answer is the only one that tells its secret, by which what it is sent can be verified
    (Standard Webhooks).
    """
    here = services()
    fields = _fields()
    with transaction(here.engine) as connection:
        webhook, secret = create_webhook(
            connection,
            caller().client_id,
            fields["url"],
            fields["events"],
            quotas=caller().quotas,
            policy=policy_of(here.settings),
        )
    headers = {"Location": f"/v1/webhooks/{webhook.id}"}
    return answer({**_webhook_body(webhook), "secret": secret}, 201, headers)


@blueprint.route("", methods=["GET"])
@require("webhooks.manage")
@blueprint.doc(operationId="listWebhooks")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, WebhookPageSchema)
def index(query: dict[str, Any]) -> Response:
    """List webhooks, newest first"""
    page = page_of(query, UUID, "webhooks")
    client_id = caller().client_id
    found = read(
        services().engine,
        lambda connection: list_webhooks(
            connection, client_id, limit=page.fetch, before=page.position
        ),
    )
    return page_answer(page, found, body=_webhook_body, position=attrgetter("id"))


@blueprint.route("/<uuid:webhook_id>", methods=["GET"])
@require("webhooks.manage")
@blueprint.doc(operationId="getWebhook")
@blueprint.response(200, WebhookSchema)
def show(webhook_id: UUID) -> Response:
    """Show a webhook"""
    client_id = caller().client_id
    webhook = read(
        services().engine, lambda connection: get_webhook(connection, client_id, webhook_id)
    )
    return answer(_webhook_body(webhook))


@blueprint.route("/<uuid:webhook_id>", methods=["DELETE"])
@require("webhooks.manage")
@blueprint.doc(operationId="deleteWebhook")
@blueprint.response(204)
def delete(webhook_id: UUID) -> Response:
    """Remove a webhook and its delivery log"""
    remove_webhook(services().engine, caller().client_id, webhook_id)
    return Response(status=204)


@blueprint.route("/<uuid:webhook_id>/rotate", methods=["POST"])
@require("webhooks.manage")
@blueprint.doc(operationId="rotateWebhookSecret")
@blueprint.response(200, WebhookWithSecretSchema)
def rotate(webhook_id: UUID) -> Response:
    """Give a webhook a new secret

    For a day the one before signs as well, so that a receiver can change over in its own time.
    """
    with transaction(services().engine) as connection:
        webhook, secret = rotate_secret(connection, caller().client_id, webhook_id)
    return answer({**_webhook_body(webhook), "secret": secret})


@blueprint.route("/<uuid:webhook_id>/deliveries", methods=["GET"])
@require("webhooks.manage")
@blueprint.doc(operationId="listDeliveries")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, DeliveryPageSchema)
def deliveries(query: dict[str, Any], webhook_id: UUID) -> Response:
    """List what was sent, newest first"""
    page = page_of(query, UUID, f"deliveries/{webhook_id}")
    client_id = caller().client_id
    found = read(
        services().engine,
        lambda connection: list_deliveries(
            connection, client_id, webhook_id, limit=page.fetch, before=page.position
        ),
    )
    return page_answer(page, found, body=_delivery_body, position=attrgetter("id"))


@blueprint.route("/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/resend", methods=["POST"])
@require("webhooks.manage")
@blueprint.doc(operationId="resendDelivery")
@blueprint.response(202, DeliverySchema)
def send_again(webhook_id: UUID, delivery_id: UUID) -> Response:
    """Send a delivery again

    The same message, with the same `webhook-id`; if it is not taken, with all the retries.
    """
    with transaction(services().engine) as connection:
        delivery = resend(connection, caller().client_id, webhook_id, delivery_id)
        after_commit(connection, listener().delivery_due)
    return answer(_delivery_body(delivery), 202)


def _fields() -> dict[str, Any]:
    media_type(request, (JSON,))
    body = Body(request, _MOST_BYTES).read_all()
    return loaded(NewWebhookSchema(), fields_of(read_object(body)))


def _webhook_body(webhook: WebhookEntry) -> dict[str, Any]:
    return {
        "id": str(webhook.id),
        "url": webhook.url,
        "events": list(webhook.events),
        "createdAt": moment(webhook.created_at),
        "disabledAt": moment(webhook.disabled_at),
        "disabledReason": webhook.disabled_reason,
        "previousSecretUntil": moment(webhook.previous_until),
    }


def _delivery_body(delivery: DeliveryEntry) -> dict[str, Any]:
    return {
        "id": str(delivery.id),
        "batchId": str(delivery.batch_id) if delivery.batch_id else None,
        "event": delivery.event,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "createdAt": moment(delivery.created_at),
        "lastAttemptAt": moment(delivery.tried_at),
        "nextAttemptAt": moment(delivery.next_at),
        "finishedAt": moment(delivery.finished_at),
        "responseStatus": delivery.answer_status,
        "responseBody": delivery.answer_body,
        "error": delivery.error,
        "durationSeconds": None if delivery.seconds is None else round(delivery.seconds, 3),
    }
