"""Nilo."""

from __future__ import annotations

from tests.dialects.facts.kinds import Call, Facts, Reading, Submitting

PRODUCT = {"product": "22222.1", "store": 2134, "available": True, "units": 1}
PRICE = {"product": "22222.1", "store": 2134, "price": 9.99, "currency": "EUR"}
PROMOTION = {
    "promotion": "spring",
    "product": "22222.1",
    "discount": 10,
    "startsAt": "2026-03-01T00:00:00Z",
    "endsAt": "2026-04-01T00:00:00Z",
}
_UNKNOWN = "01900000-0000-7000-8000-000000000000"

FACTS = Facts(
    headers=lambda key, secret: {"x-api-key": key, "Authorization": secret},
    bearer=False,
    calls=(
        Call("POST", "/batch/product/availability", "batches.write", [PRODUCT]),
        Call("POST", "/batch/price/update", "batches.write", [PRICE]),
        Call("POST", "/batch/promotion/update", "batches.write", [PROMOTION]),
        Call("GET", f"/batch/{_UNKNOWN}/detail", "supplier/batch.read"),
        Call("GET", f"/batch/{_UNKNOWN}/status", "supplier/bulk.read"),
    ),
    submitting=Submitting("/batch/product/availability", PRODUCT),
    readings=(
        Reading("catalog.price", "/batch/{id}/detail", lambda shown: list(shown["detail"])),
        Reading("catalog.price", "/batch/{id}/status"),
    ),
    nowhere=("/batch", "/batch/product/price", "/batch/unknown/update"),
    not_allowed=(
        ("GET", "/batch/product/availability", "POST"),
        ("POST", "/batch/x/status", "GET"),
    ),
)
