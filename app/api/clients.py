"""/v1/clients: clients and their keys, for who has the scope `admin`. The commands do the same."""

from __future__ import annotations

from operator import attrgetter
from typing import Any
from uuid import UUID

from flask import Response, request

from app.api.client_schemas import (
    ClientChangesSchema,
    ClientPageSchema,
    ClientSchema,
    KeyPageSchema,
    KeySecretSchema,
    NewClientSchema,
    NewKeySchema,
    QuotaChangesSchema,
    QuotasSchema,
)
from app.api.documents import LOCATION, json_body
from app.clients.credentials import ClientEntry, ClientSecret, create_client, revoke_client
from app.clients.keys import KeyEntry, create_key, list_keys, revoke_key
from app.clients.quotas import default_quotas, get_quotas, set_quotas
from app.clients.reading import get_client, list_client_page, rename_client
from app.core.jsontext import moment
from app.web.auth import require
from app.web.blueprint import Blueprint
from app.web.bodies import JSON, Body, media_type
from app.web.jsonbody import SMALL, fields_of, read_object
from app.web.paging import PageQuery, page_answer, page_of
from app.web.problems import loaded
from app.web.responses import answer
from app.web.services import services

blueprint = Blueprint(
    "clients", __name__, url_prefix="/v1/clients", description="Clients and their keys: `admin`."
)


_KEY_EXAMPLE = {"name": "reports", "scopes": ["batches.read"], "expires": "90d"}


@blueprint.route("", methods=["GET"])
@require("admin")
@blueprint.doc(operationId="listClients")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, ClientPageSchema)
def index(query: dict[str, Any]) -> Response:
    """List clients, newest first"""
    page = page_of(query, UUID, "clients")
    found = list_client_page(services().engine, before=page.position, limit=page.fetch)
    return page_answer(page, found, body=_client_body, position=attrgetter("client_id"))


@blueprint.route("", methods=["POST"])
@require("admin")
@blueprint.response(201, KeySecretSchema, headers=LOCATION)
@blueprint.alt_response(409, "CONFLICT")
@blueprint.doc(
    operationId="createClient",
    requestBody=json_body(NewClientSchema, {"name": "shop", "scopes": ["batches.read"]}),
)
def create() -> Response:
    """Make a client with its first key

    The answer is the only one that tells the secret.
    """
    fields = loaded(NewClientSchema(), _fields())
    made = create_client(services().engine, fields["name"], fields["scopes"])
    return _made(made, f"/v1/clients/{made.client_id}")


@blueprint.route("/<uuid:client_id>", methods=["GET"])
@require("admin")
@blueprint.doc(operationId="getClient")
@blueprint.response(200, ClientSchema)
def show(client_id: UUID) -> Response:
    """Show a client"""
    return answer(_client_body(get_client(services().engine, client_id)))


@blueprint.route("/<uuid:client_id>", methods=["PATCH"])
@require("admin")
@blueprint.response(200, ClientSchema)
@blueprint.alt_response(409, "CONFLICT")
@blueprint.doc(
    operationId="changeClient", requestBody=json_body(ClientChangesSchema, {"name": "shop of old"})
)
def change(client_id: UUID) -> Response:
    """Give a client another name"""
    here = services()
    rename_client(here.engine, client_id, loaded(ClientChangesSchema(), _fields())["name"])
    return answer(_client_body(get_client(here.engine, client_id)))


@blueprint.route("/<uuid:client_id>", methods=["DELETE"])
@require("admin")
@blueprint.doc(operationId="revokeClient")
@blueprint.response(204)
def delete(client_id: UUID) -> Response:
    """Revoke a client

    None of its keys is good any more. Its batches stay, and those accepted go on.
    """
    revoke_client(services().engine, client_id)
    return Response(status=204)


@blueprint.route("/<uuid:client_id>/keys", methods=["GET"])
@require("admin")
@blueprint.doc(operationId="listKeys")
@blueprint.arguments(PageQuery, location="query")
@blueprint.response(200, KeyPageSchema)
def keys(query: dict[str, Any], client_id: UUID) -> Response:
    """List a client's keys

    The one that was made with it first, then the others as they were made; those that ended too.
    """
    here = services()
    page = page_of(query, UUID, f"keys/{client_id}")
    get_client(here.engine, client_id)
    found = list_keys(here.engine, client_id, after=page.position, limit=page.fetch)
    return page_answer(page, found, body=_key_body, position=attrgetter("place"))


@blueprint.route("/<uuid:client_id>/keys", methods=["POST"])
@require("admin")
@blueprint.response(201, KeySecretSchema, headers=LOCATION)
@blueprint.doc(operationId="createKey", requestBody=json_body(NewKeySchema, _KEY_EXAMPLE))
def add_key(client_id: UUID) -> Response:
    """Make a further key of a client

    The answer is the only one that tells the secret.
    """
    made = create_key(services().engine, client_id, **loaded(NewKeySchema(), _fields()))
    return _made(made, f"/v1/clients/{client_id}/keys/{made.key_id}")


@blueprint.route("/<uuid:client_id>/keys/<uuid:key_id>", methods=["DELETE"])
@require("admin")
@blueprint.doc(operationId="revokeKey")
@blueprint.response(204)
def remove_key(client_id: UUID, key_id: UUID) -> Response:
    """Revoke a key"""
    revoke_key(services().engine, key_id, client_id=client_id)
    return Response(status=204)


@blueprint.route("/<uuid:client_id>/quotas", methods=["GET"])
@require("admin")
@blueprint.doc(operationId="getQuotas")
@blueprint.response(200, QuotasSchema)
def quotas(client_id: UUID) -> Response:
    """Show a client's quotas; null is unlimited"""
    here = services()
    return answer(dict(get_quotas(here.engine, client_id, default_quotas(here.settings))))


@blueprint.route("/<uuid:client_id>/quotas", methods=["PATCH"])
@require("admin")
@blueprint.response(200, QuotasSchema)
@blueprint.doc(
    operationId="changeQuotas",
    requestBody=json_body(QuotaChangesSchema, {"openBatches": 100, "webhooks": "none"}),
)
def change_quotas(client_id: UUID) -> Response:
    """Set some of a client's quotas

    Every process knows of them within a second. Who has more than it may keeps it, and gets no
    more.
    """
    here = services()
    defaults = default_quotas(here.settings)
    return answer(dict(set_quotas(here.engine, client_id, _fields(), defaults)))


def _fields() -> dict[str, Any]:
    media_type(request, (JSON,))
    return fields_of(read_object(Body(request, SMALL).read_all()))


def _made(made: ClientSecret, location: str) -> Response:
    return answer(
        {
            "clientId": made.client_id,
            "apiKey": made.api_key,
            "secret": made.secret,
            "scopes": made.scopes,
            "keyId": made.key_id,
        },
        201,
        {"Location": location, "Cache-Control": "no-store"},
    )


def _client_body(client: ClientEntry) -> dict[str, Any]:
    return {
        "clientId": client.client_id,
        "name": client.name,
        "apiKey": client.api_key,
        "scopes": client.scopes,
        "createdAt": moment(client.created_at),
        "revokedAt": moment(client.revoked_at),
    }


def _key_body(key: KeyEntry) -> dict[str, Any]:
    return {
        "keyId": key.key_id,
        "name": key.name,
        "apiKey": key.api_key,
        "scopes": key.scopes,
        "networks": key.networks,
        "operations": key.operations,
        "createdAt": moment(key.created_at),
        "expiresAt": moment(key.expires_at),
        "revokedAt": moment(key.revoked_at),
    }
