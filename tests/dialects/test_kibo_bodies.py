"""What Kibo's catalog refuses of an item: a wrong body, and codes that are not the path's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.dialects.facts.kibo import CATALOG, CATALOG_CALLS, JOB, JOBS
from tests.dialects.facts.kinds import Call
from tests.dialects.sending import Kept, refused
from tests.dialects.speaking import Speaker


@pytest.mark.parametrize("call", CATALOG_CALLS, ids=str)
def test_catalog_bodies(speak: Callable[..., Speaker], kept: Kept, call: Call) -> None:
    kibo = speak("kibo")
    assert kibo.post(JOBS, JOB).status_code == 201
    path = f"{call.path}?batchJobCode={JOB['code']}"
    if call.body is not None:
        wrong: list[Any] = ["{", "[1]", "7", ""]
        wrong += [[], {}] if isinstance(call.body, list) else [[{}]]
        for body in wrong:
            refused("kibo", kibo(call.method, path, body))
    refused("kibo", kibo(call.method, call.path, call.body))
    assert kept() == (1, 0)


def test_the_codes_of_a_path_and_of_a_body_have_to_agree(speak: Callable[..., Speaker]) -> None:
    kibo = speak("kibo")
    assert kibo.post(JOBS, JOB).status_code == 201
    by = f"?batchJobCode={JOB['code']}"
    wrong: list[dict[str, Any]] = [{"productCode": code} for code in ("Q", None, ["P"])]
    for body in wrong:
        assert "productCode" in refused("kibo", kibo("PUT", f"{CATALOG}/products/P{by}", body))
    for path, said in (
        ("products/P", {"productCode": "P"}),
        ("products/17", {"productCode": 17}),
        ("pricelists/L/entries/P/EUR", {"currencyCode": "EUR", "priceListCode": "L"}),
    ):
        assert kibo("PUT", f"{CATALOG}/{path}{by}", said).status_code == 202
