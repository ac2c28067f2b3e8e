"""Kibo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tests.dialects.facts.kinds import Call, Envelope, Facts, Reading, Submitting

if TYPE_CHECKING:
    from tests.dialects.speaking import Speaker

CATALOG = "/commerce/catalog/admin"
JOBS = "/platform/data/batchJob"
JOB = {
    "code": "batch_job_1",
    "jobName": "Example Job",
    "scheduledDate": None,
    "domain": "Catalog",
    "status": "Ready",
}
ENTRY = {"priceListCode": "L", "productCode": "P", "currencyCode": "EUR", "price": 1}
BY = "batchJobCode=none"
# The calls by which the catalog adds items, without the query that names the job; in the place of
# the scope, which is the same for all of them, stands the operation.
CATALOG_CALLS = (
    Call("POST", f"{CATALOG}/products", "catalog.product.add", {"productCode": "P"}),
    Call("PUT", f"{CATALOG}/products/P", "catalog.product.update", {"a": 1}),
    Call("DELETE", f"{CATALOG}/products/P", "catalog.product.delete"),
    Call(
        "POST",
        f"{CATALOG}/products/P/Properties",
        "catalog.property.add",
        {"attributeFQN": "tenant~color"},
    ),
    Call(
        "PUT",
        f"{CATALOG}/products/P/Properties/tenant~color",
        "catalog.property.update",
        {"values": [{"value": "red"}]},
    ),
    Call(
        "DELETE",
        f"{CATALOG}/products/P/Properties/tenant~color",
        "catalog.property.delete",
    ),
    Call(
        "POST",
        f"{CATALOG}/pricelists/L/entries",
        "catalog.pricelist_entry.add",
        {"productCode": "P", "currencyCode": "EUR"},
    ),
    Call(
        "PUT",
        f"{CATALOG}/pricelists/L/entries/P/EUR",
        "catalog.pricelist_entry.update",
        {"price": 2.50},
    ),
    Call(
        "DELETE",
        f"{CATALOG}/pricelists/L/entries/P/EUR",
        "catalog.pricelist_entry.delete",
    ),
    Call(
        "POST",
        f"{CATALOG}/pricelists/bulkaddentries",
        "catalog.pricelist_entry.add",
        [ENTRY],
    ),
    Call(
        "POST",
        f"{CATALOG}/pricelists/bulkupdateentries",
        "catalog.pricelist_entry.update",
        [ENTRY],
    ),
    Call(
        "POST",
        f"{CATALOG}/pricelists/bulkdeleteentries",
        "catalog.pricelist_entry.delete",
        [ENTRY],
    ),
)


def _make_job(speaker: Speaker) -> Mapping[str, str]:
    assert speaker.post(JOBS, JOB).status_code == 201
    return {}


FACTS = Facts(
    headers=lambda _, secret: {"Authorization": f"Bearer {secret}"},
    calls=(
        Call("POST", JOBS, "batches.write", JOB),
        Call("GET", JOBS, "batches.read"),
        Call("GET", f"{JOBS}/none", "batches.read"),
        Call("PUT", f"{JOBS}/none", "batches.write", {"jobName": "other"}),
        Call("POST", f"{JOBS}/actions/none", "batches.write", {"action": "start"}),
        Call("GET", f"{JOBS}/items/none", "batches.read"),
        *(
            Call(call.method, f"{call.path}?{BY}", "batches.write", call.body)
            for call in CATALOG_CALLS
        ),
    ),
    submitting=Submitting(
        f"{CATALOG}/pricelists/bulkaddentries?batchJobCode={JOB['code']}", ENTRY, begin=_make_job
    ),
    envelopes=(
        Envelope(
            JOBS,
            JOB,
            {
                "code": [None, "", "a/b", ".", "..", "a\x00b", "x" * 201, True, []],
                "jobName": [None, "", 7, "x" * 256],
                "domain": [None, "Orders", "catalog"],
                "status": ["Pending", "Completed", "Canceled", "ready", 1],
                "scheduledDate": ["tomorrow", 7, "2020-01-01T00:00:00Z"],
            },
            optional=frozenset({"status", "scheduledDate"}),
        ),
        Envelope(
            f"{JOBS}/actions/{JOB['code']}",
            {"action": "start"},
            {"action": [None, "pause", "Start", 1]},
        ),
    ),
    readings=(
        Reading("catalog.product.add", f"{JOBS}/{{id}}"),
        Reading("catalog.product.add", f"{JOBS}/items/{{id}}", lambda shown: list(shown["items"])),
    ),
    nowhere=("/platform/data/other", "/commerce/catalog/admin/categories"),
    not_allowed=(("PATCH", JOBS, "POST"), ("GET", f"{CATALOG}/products/P", "PUT")),
)
