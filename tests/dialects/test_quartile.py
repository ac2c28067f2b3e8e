"""Quartile's document: its examples, field by field, and items that come back as they were sent."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from tests.dialects.conftest import Finish, Hold
from tests.dialects.facts.quartile import MASTERLIST
from tests.dialects.speaking import Speaker

PATH = "/amazon/v2/process/masterlist"
EXAMPLE = """[
    {   
        "asin": "ASINXYZXPTO1", 
        "countryCode": "US", 
        "percACoS": 2.7
    }
]"""  # noqa: W291 (to the letter)


@pytest.fixture
def quartile(speak: Callable[..., Speaker]) -> Speaker:
    """The test's client."""
    return speak("quartile")


def submit(quartile: Speaker, body: Any) -> str:
    """Submit; the batchId."""
    response = quartile("PATCH", PATH, body)
    assert response.status_code == 200, response.data
    assert response.json is not None
    assert set(response.json) == {"batchId"}
    return str(response.json["batchId"])


def test_the_documents_example(
    quartile: Speaker, finish: Finish, record: Callable[[str, str], Any]
) -> None:
    before = int(time.time())
    batch_id = submit(quartile, EXAMPLE)
    assert re.fullmatch("[0-9a-f]{24}", batch_id)
    assert before <= int(batch_id[:8], 16) <= time.time()
    batch = finish("quartile", batch_id)
    assert (batch["dialect"], batch["reference"]) == ("quartile", batch_id)

    response = quartile.get(f"/amazon/v2/batch/{batch_id}")
    assert response.status_code == 200
    shown = response.json
    assert shown is not None
    (item,) = shown.pop("data")
    assert shown == {"batchId": batch_id, "status": "SUCCESS"}
    assert list(item) == ["id", "asin", "countryCode", "percACoS", "status"]
    assert UUID(item.pop("id"))
    assert item == {
        "asin": "ASINXYZXPTO1",
        "countryCode": "US",
        "percACoS": 2.7,
        "status": {"success": True, "message": "successfully", "process": "INSERT"},
    }
    assert record("masterlist", "ASINXYZXPTO1:US") == MASTERLIST


def test_insert_then_update(quartile: Speaker, finish: Finish) -> None:
    for process in ("INSERT", "UPDATE"):
        batch_id = submit(quartile, [MASTERLIST])
        finish("quartile", batch_id)
        shown = quartile.get(f"/amazon/v2/batch/{batch_id}").json
        assert shown is not None
        assert shown["data"][0]["status"]["process"] == process


def test_items_come_back_exactly_as_they_were_sent(quartile: Speaker, finish: Finish) -> None:
    members = [
        '"asin":"A1","countryCode":"US","percACoS":2.70',
        ' "percACoS" : 1.0E+1 ,\n"countryCode": "US", "asin": "\\u0041\\/2" ',
        '"asin":"Ünï\\u00e7","countryCode":"DE","percACoS":"0.10"',
        '"asin":"A3","asin":"A4","countryCode":"US","percACoS":3',
        '"percACoS":100000000000000000000000000000.5,"asin":"A5","countryCode":"US"',
    ]
    batch_id = submit(quartile, "[" + " , ".join(f"{{{member}}}" for member in members) + "]")
    finish("quartile", batch_id)
    text = quartile.get(f"/amazon/v2/batch/{batch_id}").get_data(as_text=True)
    for member in members:
        assert re.search(rf'\{{"id":"[^"]+",{re.escape(member)},"status":\{{"success":', text)


def test_members_that_have_our_names(quartile: Speaker, finish: Finish) -> None:
    """There is one `id` and one `status` in an answer, and they are ours."""
    bodies = ['{"id":7,"asin":"A","st\\u0061tus":"x"}', '{"status":{}}', "{}", '{"a":"\\"id\\""}']
    batch_id = submit(quartile, f"[{','.join(bodies)}]")
    finish("quartile", batch_id)
    response = quartile.get(f"/amazon/v2/batch/{batch_id}")
    assert response.status_code == 206
    assert response.json is not None
    first, second, third, fourth = response.json["data"]
    assert list(first) == ["id", "asin", "status"]
    assert list(second) == list(third) == ["id", "status"]
    assert list(fourth) == ["id", "a", "status"]
    for item in response.json["data"]:
        assert UUID(item["id"])
        assert item["status"]["success"] is False


def test_partial_and_failed(quartile: Speaker, finish: Finish) -> None:
    wrong = {**MASTERLIST, "percACoS": "much"}
    for items, status in (([MASTERLIST, wrong], "PARTIAL"), ([wrong], "FAILED")):
        batch_id = submit(quartile, items)
        finish("quartile", batch_id)
        response = quartile.get(f"/amazon/v2/batch/{batch_id}")
        assert response.status_code == 206
        assert response.json is not None
        assert response.json["status"] == status
        assert len(response.json["data"]) == len(items)
        assert response.json["data"][-1]["status"] == {
            "success": False,
            "message": "percACoS: Must be a number.",
            "process": None,
        }


@pytest.mark.parametrize(
    ("status", "word"), [("OPEN", "PENDING"), ("SCHEDULED", "PENDING"), ("PAUSED", "RUNNING")]
)
def test_before_it_is_processed_there_is_no_list(
    quartile: Speaker, hold: Hold, status: str, word: str
) -> None:
    batch_id = hold("quartile", "catalog.masterlist", ['{"asin":"A"}'], status)
    response = quartile.get(f"/amazon/v2/batch/{batch_id}")
    assert response.status_code == 206
    assert response.json == {"detail": "processing", "status": word}


def test_a_canceled_batch_has_failed(
    quartile: Speaker, hold: Hold, speak: Callable[..., Speaker]
) -> None:
    batch_id = hold("quartile", "catalog.masterlist", ['{"asin":"A"}'])
    native = speak("fluent")
    found = native.get(f"/v1/batches?dialect=quartile&reference={batch_id}").json
    assert found is not None
    native.post(f"/v1/batches/{found['data'][0]['id']}/cancel", None)
    response = quartile.get(f"/amazon/v2/batch/{batch_id}")
    assert response.status_code == 206
    assert response.json is not None
    assert response.json["status"] == "FAILED"
    assert response.json["data"][0]["status"] == {
        "success": False,
        "message": "Canceled before it was processed",
        "process": None,
    }
