"""Every call that the dialects have, with the scope that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.dialects.speaking import CATALOG, JOBS

PRODUCT = {"product": "22222.1", "store": 2134, "available": True, "units": 1}
PRICE = {"product": "22222.1", "store": 2134, "price": 9.99, "currency": "EUR"}
PROMOTION = {
    "promotion": "spring",
    "product": "22222.1",
    "discount": 10,
    "startsAt": "2026-03-01T00:00:00Z",
    "endsAt": "2026-04-01T00:00:00Z",
}
MASTERLIST = {"asin": "ASINXYZXPTO1", "countryCode": "US", "percACoS": 2.7}
CASHBACK = {"playerUniqueId": "p1", "transactionId": "t1", "amount": "10.50"}
GAMEBALL = {"method": "POST", "operation": "cashback", "body": [CASHBACK]}
CATEGORY = {"categoryRef": "CGR-0002", "name": "Category 002"}
FLUENT = {"action": "UPSERT", "entityType": "CATEGORY", "entities": [CATEGORY]}
JOB = {
    "code": "batch_job_1",
    "jobName": "Example Job",
    "scheduledDate": None,
    "domain": "Catalog",
    "status": "Ready",
}
ENTRY = {"priceListCode": "L", "productCode": "P", "currencyCode": "EUR", "price": 1}
UNKNOWN = "01900000-0000-7000-8000-000000000000"
BY = "batchJobCode=none"


@dataclass(frozen=True)
class Call:
    """One call. `body`: one that is taken where there is what the path names."""

    dialect: str
    method: str
    path: str
    scope: str
    body: Any = None

    def __str__(self) -> str:
        return f"{self.dialect} {self.method} {self.path}"


CALLS = [
    Call("nilo", "POST", "/batch/product/availability", "batches.write", [PRODUCT]),
    Call("nilo", "POST", "/batch/price/update", "batches.write", [PRICE]),
    Call("nilo", "POST", "/batch/promotion/update", "batches.write", [PROMOTION]),
    Call("nilo", "GET", f"/batch/{UNKNOWN}/detail", "supplier/batch.read"),
    Call("nilo", "GET", f"/batch/{UNKNOWN}/status", "supplier/bulk.read"),
    Call("quartile", "PATCH", "/amazon/v2/process/masterlist", "batches.write", [MASTERLIST]),
    Call("quartile", "GET", "/amazon/v2/batch/5349b4ddd2781d08c09890f3", "batches.read"),
    Call("gameball", "POST", "/integrations/batch", "batches.write", GAMEBALL),
    Call("gameball", "GET", f"/integrations/batch/{UNKNOWN}", "batches.read"),
    Call("gameball", "DELETE", f"/integrations/batch/{UNKNOWN}", "batches.write"),
    Call("fluent", "POST", "/api/v4.1/job", "batches.write", {"name": "job"}),
    Call("fluent", "POST", "/api/v4.1/job/999999999/batch", "batches.write", FLUENT),
    Call("fluent", "GET", "/api/v4.1/job/999999999/batch/999999999", "batches.read"),
    Call("kibo", "POST", JOBS, "batches.write", JOB),
    Call("kibo", "GET", JOBS, "batches.read"),
    Call("kibo", "GET", f"{JOBS}/none", "batches.read"),
    Call("kibo", "PUT", f"{JOBS}/none", "batches.write", {"jobName": "other"}),
    Call("kibo", "POST", f"{JOBS}/actions/none", "batches.write", {"action": "start"}),
    Call("kibo", "GET", f"{JOBS}/items/none", "batches.read"),
]
# By operation: the calls by which Kibo's catalog adds items, without the query that names the job.
CATALOG_CALLS = [
    Call("kibo", "POST", f"{CATALOG}/products", "catalog.product.add", {"productCode": "P"}),
    Call("kibo", "PUT", f"{CATALOG}/products/P", "catalog.product.update", {"a": 1}),
    Call("kibo", "DELETE", f"{CATALOG}/products/P", "catalog.product.delete"),
    Call(
        "kibo",
        "POST",
        f"{CATALOG}/products/P/Properties",
        "catalog.property.add",
        {"attributeFQN": "tenant~color"},
    ),
    Call(
        "kibo",
        "PUT",
        f"{CATALOG}/products/P/Properties/tenant~color",
        "catalog.property.update",
        {"values": [{"value": "red"}]},
    ),
    Call(
        "kibo",
        "DELETE",
        f"{CATALOG}/products/P/Properties/tenant~color",
        "catalog.property.delete",
    ),
    Call(
        "kibo",
        "POST",
        f"{CATALOG}/pricelists/L/entries",
        "catalog.pricelist_entry.add",
        {"productCode": "P", "currencyCode": "EUR"},
    ),
    Call(
        "kibo",
        "PUT",
        f"{CATALOG}/pricelists/L/entries/P/EUR",
        "catalog.pricelist_entry.update",
        {"price": 2.50},
    ),
    Call(
        "kibo",
        "DELETE",
        f"{CATALOG}/pricelists/L/entries/P/EUR",
        "catalog.pricelist_entry.delete",
    ),
    Call(
        "kibo",
        "POST",
        f"{CATALOG}/pricelists/bulkaddentries",
        "catalog.pricelist_entry.add",
        [ENTRY],
    ),
    Call(
        "kibo",
        "POST",
        f"{CATALOG}/pricelists/bulkupdateentries",
        "catalog.pricelist_entry.update",
        [ENTRY],
    ),
    Call(
        "kibo",
        "POST",
        f"{CATALOG}/pricelists/bulkdeleteentries",
        "catalog.pricelist_entry.delete",
        [ENTRY],
    ),
]
ALL_CALLS = CALLS + [
    Call(call.dialect, call.method, f"{call.path}?{BY}", "batches.write", call.body)
    for call in CATALOG_CALLS
]
