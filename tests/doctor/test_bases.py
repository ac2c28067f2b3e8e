"""`batchline doctor`: where `http.request` may go, and what others say of that."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text

from app.core.addresses import named_bases
from app.core.settings import Settings
from app.db.statements.served_operations import PUBLISH_OPERATIONS
from app.doctor.finding import Level
from app.doctor.of_settings import look_at_settings
from app.doctor.of_workers import look_at_workers
from handlers.shipped.http_request.handler import NAME
from tests.doctor.test_servers_say import amiss

HTTP = "is http: what is sent can be read on the way"
SAME = "erp and shop lead to the same address"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("erp=https://erp.example/api, shop=https://erp.example/shop", []),
        ("erp=https://erp.example:8443, shop=https://erp.example", []),
        ("erp=https://one:s3cret@erp.example, shop=https://two:s3cret@erp.example", []),
        ("erp=http://127.0.0.1:8080, shop=http://[::1]:8080, crm=http://localhost:1", []),
        ("erp=http://u:s3cret@erp.example, shop=https://shop.example", [f"erp {HTTP}"]),
        ("erp=http://10.0.0.7, shop=https://10.0.0.7:443/", [f"erp {HTTP}", SAME]),
        ("erp=https://ERP.example/api/, shop=https://erp.example/api", [SAME]),
    ],
)
def test_what_nobody_means(settings: Settings, given: str, said: list[str]) -> None:
    safe = replace(settings, webhook_allow_private=False, http_handler_bases=named_bases(given))
    found = amiss(look_at_settings(safe, {}))
    assert [one[1] for one in found] == [f"HTTP_HANDLER_BASES: {words}" for words in said]
    assert {one[0] for one in found} <= {Level.WARNING}
    assert all(one[2] for one in found)
    assert "s3cret" not in str(found)


def test_processes_that_have_others(own_settings: Settings, own_engine: Engine) -> None:
    here = replace(own_settings, http_handler_bases=named_bases("erp=https://erp.example"))
    row = text(
        """INSERT INTO workers (id, hostname, pid, queue, slots, operations)
           VALUES (:id, 'there', 1, 'slow', 1, ARRAY[CAST(:name AS text)])"""
    )

    def said(bases: list[str]) -> list[str]:
        described = {NAME: {"bases": bases, "queue": "slow"}}
        with own_engine.begin() as connection:
            connection.execute(PUBLISH_OPERATIONS, {"descriptions": described})
        return [one[1] for one in amiss(look_at_workers(here)) if "bases" in one[1]]

    with own_engine.begin() as connection:
        connection.execute(row, {"id": uuid4(), "name": NAME})
    try:
        assert said(["erp"]) == []
        assert said(["crm", "erp"]) == [f"{NAME} has the bases crm, erp elsewhere, and erp here"]
    finally:
        with own_engine.begin() as connection:
            connection.execute(text("DELETE FROM workers"))
            connection.execute(text("DELETE FROM operations"))
