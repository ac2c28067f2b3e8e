"""Gameball."""

from __future__ import annotations

from typing import Any

from tests.dialects.facts.kinds import Call, Envelope, Facts, Reading, Submitting

CASHBACK = {"playerUniqueId": "p1", "transactionId": "t1", "amount": "10.50"}
GAMEBALL: dict[str, Any] = {"method": "POST", "operation": "cashback", "body": [CASHBACK]}
_UNKNOWN = "01900000-0000-7000-8000-000000000000"

FACTS = Facts(
    headers=lambda key, secret: {"APIKey": key, "SecretKey": secret},
    bearer=False,
    calls=(
        Call("POST", "/integrations/batch", "batches.write", GAMEBALL),
        Call("GET", f"/integrations/batch/{_UNKNOWN}", "batches.read"),
        Call("DELETE", f"/integrations/batch/{_UNKNOWN}", "batches.write"),
    ),
    submitting=Submitting(
        "/integrations/batch",
        CASHBACK,
        most=1000,
        body=lambda items: {**GAMEBALL, "body": items},
        member="body",
    ),
    envelopes=(
        Envelope(
            "/integrations/batch",
            GAMEBALL,
            {
                "method": [None, "DELETE", "post", 1, ""],
                "operation": [None, "loyalty.cashback", "transfer", 1],
                "params": ["1", True, 2.5, [], {"a": "x" * 20_000}],
                "body": [None, {}, "text", 1],
            },
            optional=frozenset({"params"}),
        ),
    ),
    readings=(
        Reading(
            "loyalty.cashback",
            "/integrations/batch/{id}",
            lambda shown: list(shown["response"]["results"]),
        ),
    ),
    nowhere=("/integrations", "/integrations/batches"),
    not_allowed=(("PUT", "/integrations/batch", "POST"),),
)
