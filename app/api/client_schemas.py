"""Clients and keys as requests ask for them and answers show them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import marshmallow as ma

from app.api.schemas import page_schema
from app.clients.checks import SCOPES
from app.clients.quotas import (
    OPEN_BATCHES,
    PENDING_ITEMS,
    REQUESTS_PER_SECOND,
    STORED_ITEMS,
    STREAMS_AT_ONCE,
    SUBMISSIONS_AT_ONCE,
    WEBHOOKS,
)
from app.core.durations import parse_duration
from app.web.bounded_fields import Listed


class Duration(ma.fields.Field[timedelta]):
    """A whole number with s, m, h or d."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> timedelta:
        if not isinstance(value, str):
            raise ma.ValidationError("Not a valid string.")
        try:
            return parse_duration(value)
        except ValueError as error:
            raise ma.ValidationError(str(error)) from error


def _texts(description: str, **options: Any) -> ma.fields.List[Any]:
    return Listed(ma.fields.String(), metadata={"description": description}, **options)


_ALL_BUT_ADMIN = "All but `admin` if left out."


class NewClientSchema(ma.Schema):
    """A client to be made."""

    class Meta:
        unknown = ma.RAISE

    name = ma.fields.String(required=True, metadata={"description": "No other client's."})
    scopes = _texts(_ALL_BUT_ADMIN, load_default=None, allow_none=True)


class ClientChangesSchema(ma.Schema):
    """What of a client can be changed."""

    class Meta:
        unknown = ma.RAISE

    name = ma.fields.String(required=True, metadata={"description": "No other client's."})


class NewKeySchema(ma.Schema):
    """A key to be made. Its fields are called as the parameters of `create_key`."""

    class Meta:
        unknown = ma.RAISE

    name = ma.fields.String(
        load_default=None, allow_none=True, metadata={"description": "For people to read."}
    )
    scopes = _texts(_ALL_BUT_ADMIN, load_default=None, allow_none=True)
    expires = Duration(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "How long it is good: a whole number with s, m, h or d.",
            "example": "90d",
        },
    )
    networks = _texts(
        "Addresses and CIDRs that it may be used from; from anywhere if there are none.",
        load_default=list,
    )
    operations = _texts(
        "What it may submit, in which * stands for any text; anything if there are none.",
        load_default=list,
    )


class ClientSchema(ma.Schema):
    """A client."""

    clientId = ma.fields.UUID(required=True)
    name = ma.fields.String(required=True)
    apiKey = ma.fields.String(required=True, metadata={"description": "Of its first key."})
    scopes = _texts("Of its first key.", required=True)
    createdAt = ma.fields.DateTime(required=True)
    revokedAt = ma.fields.DateTime(required=True, allow_none=True)


_MEANINGS = {
    REQUESTS_PER_SECOND: "Requests a second, and twice as many at once.",
    SUBMISSIONS_AT_ONCE: "Submissions that are under way.",
    OPEN_BATCHES: "Batches that have not ended.",
    PENDING_ITEMS: "Items that are to be processed, those of OPEN batches too.",
    STORED_ITEMS: "Items, whatever became of them.",
    STREAMS_AT_ONCE: "Waits and event streams.",
    WEBHOOKS: "Webhooks.",
}


def _quotas(name: str, field: Callable[[str], ma.fields.Field[Any]], *left_out: str) -> type:
    named = {each: field(meaning) for each, meaning in _MEANINGS.items() if each not in left_out}
    return ma.Schema.from_dict(named, name=name)


QuotasSchema = _quotas(
    "Quotas",
    lambda meaning: ma.fields.Integer(
        required=True, allow_none=True, metadata={"description": meaning}
    ),
)
QuotaChangesSchema = _quotas(
    "QuotaChanges",
    lambda meaning: ma.fields.Raw(
        metadata={
            "description": f"{meaning} A whole number; null or `none` for unlimited; `default`.",
            "anyOf": [
                {"type": ["integer", "null"], "minimum": 0},
                {"type": "string", "enum": ["none", "default"]},
            ],
            "example": 100,
        }
    ),
)
UsageSchema = _quotas(
    "Usage",
    lambda meaning: ma.fields.Integer(required=True, metadata={"description": meaning}),
    REQUESTS_PER_SECOND,
)


class KeySchema(ma.Schema):
    """A key, without its secret."""

    keyId = ma.fields.UUID(required=True)
    name = ma.fields.String(required=True, allow_none=True)
    apiKey = ma.fields.String(required=True)
    scopes = ma.fields.List(ma.fields.String(validate=ma.validate.OneOf(SCOPES)), required=True)
    networks = _texts("Where it may be used from; empty: anywhere.", required=True)
    operations = _texts("What it may submit; empty: anything.", required=True)
    createdAt = ma.fields.DateTime(required=True)
    expiresAt = ma.fields.DateTime(required=True, allow_none=True)
    revokedAt = ma.fields.DateTime(required=True, allow_none=True)


class KeySecretSchema(ma.Schema):
    """A key with its secret, which is shown only in this answer."""

    clientId = ma.fields.UUID(required=True)
    apiKey = ma.fields.String(required=True)
    secret = ma.fields.String(required=True, metadata={"example": "bls_…"})
    scopes = ma.fields.List(ma.fields.String(), required=True)
    keyId = ma.fields.UUID(required=True)


ClientPageSchema = page_schema(ClientSchema, "ClientPage")
KeyPageSchema = page_schema(KeySchema, "KeyPage")
