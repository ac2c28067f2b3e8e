"""Quartile."""

from __future__ import annotations

from tests.dialects.facts.kinds import Call, Facts, Reading, Submitting

MASTERLIST = {"asin": "ASINXYZXPTO1", "countryCode": "US", "percACoS": 2.7}

FACTS = Facts(
    headers=lambda key, secret: {"Subscription-Key": key, "Authorization": f"Bearer {secret}"},
    calls=(
        Call("PATCH", "/amazon/v2/process/masterlist", "batches.write", [MASTERLIST]),
        Call("GET", "/amazon/v2/batch/5349b4ddd2781d08c09890f3", "batches.read"),
    ),
    submitting=Submitting("/amazon/v2/process/masterlist", MASTERLIST, method="PATCH", most=100),
    readings=(
        Reading("catalog.masterlist", "/amazon/v2/batch/{id}", lambda shown: list(shown["data"])),
    ),
    nowhere=("/amazon/v2/process/other", "/amazon/v1/process/masterlist"),
    not_allowed=(("POST", "/amazon/v2/process/masterlist", "PATCH"),),
)
