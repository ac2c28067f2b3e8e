"""Gameball's document: bulk cashback, redeem and balance inquiry, their counts, and stopping."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.dialects.conftest import Finish, Hold
from tests.dialects.facts.gameball import CASHBACK, GAMEBALL
from tests.dialects.speaking import Speaker

TO_THE_SECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
FIELDS = {
    "operation",
    "errorCount",
    "totalCount",
    "finishedCount",
    "startedAt",
    "createdAt",
    "status",
    "response",
}


@pytest.fixture
def gameball(speak: Callable[..., Speaker]) -> Speaker:
    """The test's client."""
    return speak("gameball")


@pytest.fixture
def run(gameball: Speaker, finish: Finish) -> Callable[..., Any]:
    """`run("cashback", entries)`: the batch as it ended."""

    def run(operation: str, entries: list[Any], method: str = "POST") -> Any:
        asked = {"method": method, "operation": operation, "body": entries}
        response = gameball.post("/integrations/batch", asked)
        assert response.status_code == 200, response.data
        assert response.json is not None
        assert set(response.json) == {"batchId"}
        batch_id = response.json["batchId"]
        finish("gameball", batch_id)
        shown = gameball.get(f"/integrations/batch/{batch_id}")
        assert shown.status_code == 200
        assert shown.json is not None
        assert set(shown.json) == FIELDS
        return shown.json

    return run


def entry(player: str, transaction: str, amount: Any) -> dict[str, Any]:
    """What cashback and redeem take."""
    return {"playerUniqueId": player, "transactionId": transaction, "amount": amount}


def test_the_three_operations(run: Callable[..., Any]) -> None:
    cashback = run("cashback", [entry("p1", "t1", "10.50"), entry("p2", "t2", 3)])
    assert (cashback["operation"], cashback["status"]) == ("cashback", "Completed")
    counts = [cashback[name] for name in ("totalCount", "finishedCount", "errorCount")]
    assert counts == [2, 2, 0]
    assert TO_THE_SECOND.fullmatch(cashback["startedAt"])
    assert TO_THE_SECOND.fullmatch(cashback["createdAt"])
    first = cashback["response"]["results"][0]
    assert first == {
        "index": 0,
        "playerUniqueId": "p1",
        "transactionId": "t1",
        "success": True,
        "code": 200,
        "message": "Success",
        "result": {
            "playerUniqueId": "p1",
            "transactionId": "t1",
            "amount": "10.5000",
            "balance": "10.5000",
            "duplicate": False,
        },
    }

    redeem = run("redeem", [entry("p1", "t3", "0.0001"), entry("p1", "t4", 11)])
    assert [redeem["finishedCount"], redeem["errorCount"]] == [2, 1]
    beyond = redeem["response"]["results"][1]
    assert (beyond["success"], beyond["result"]) == (False, None)
    assert "10.4999" in beyond["message"]

    balance = run("balance", [{"playerUniqueId": "p1"}, {"playerUniqueId": "nobody"}], "GET")
    known, unknown = balance["response"]["results"]
    assert known["result"] == {"playerUniqueId": "p1", "balance": "10.4999"}
    assert (known["transactionId"], known["code"]) == (None, 200)
    assert (unknown["success"], unknown["code"]) == (False, 404)


def test_invalid_entries_are_errors(run: Callable[..., Any]) -> None:
    shown = run("cashback", [CASHBACK, {"playerUniqueId": 7}, {**CASHBACK, "amount": -1}])
    assert [shown["totalCount"], shown["finishedCount"], shown["errorCount"]] == [3, 3, 2]
    assert shown["status"] == "Completed"
    results = shown["response"]["results"]
    assert [result["success"] for result in results] == [True, False, False]
    assert [result["code"] for result in results] == [200, 422, 422]
    assert results[1]["playerUniqueId"] == "7"
    assert "amount" in results[1]["message"]


def test_a_transaction_counts_once_ever(run: Callable[..., Any]) -> None:
    run("cashback", [entry("p", "same", 5)])
    again = run("cashback", [entry("p", "same", "5.00"), entry("p", "same", 6)])
    same, different = again["response"]["results"]
    assert (same["success"], same["result"]["duplicate"]) == (True, True)
    assert (different["success"], different["code"]) == (False, 409)
    balance = run("balance", [{"playerUniqueId": "p"}])["response"]["results"][0]
    assert balance["result"]["balance"] == "5.0000"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH"])
@pytest.mark.parametrize("params", [None, 7, {"lang": "en", "rate": 2.50}])
def test_method_and_params_are_kept(
    gameball: Speaker, speak: Callable[..., Speaker], method: str, params: Any
) -> None:
    asked = {**GAMEBALL, "method": method, "params": params}
    started = gameball.post("/integrations/batch", asked).json
    assert started is not None
    batch = speak("fluent").get(f"/v1/batches/{started['batchId']}").json
    assert batch is not None
    said = {"method": method} if params is None else {"method": method, "params": params}
    assert batch["metadata"] == said
    assert batch["reference"] == started["batchId"]


def test_a_thousand_entries(run: Callable[..., Any]) -> None:
    shown = run("cashback", [entry(f"p{n % 10}", f"t{n}", "0.01") for n in range(1000)])
    assert [shown["totalCount"], shown["errorCount"]] == [1000, 0]
    assert len(shown["response"]["results"]) == 1000
    balances = run("balance", [{"playerUniqueId": f"p{n}"} for n in range(10)])
    assert {result["result"]["balance"] for result in balances["response"]["results"]} == {"1.0000"}


@pytest.mark.parametrize(
    ("status", "word"), [("OPEN", "Queued"), ("SCHEDULED", "Queued"), ("PAUSED", "Running")]
)
def test_before_it_ends_and_stopping_it(
    gameball: Speaker, hold: Hold, status: str, word: str
) -> None:
    batch_id = hold("gameball", "loyalty.balance", ['{"playerUniqueId":"p"}'], status)
    path = f"/integrations/batch/{batch_id}"
    shown = gameball.get(path).json
    assert shown is not None
    assert set(shown) == FIELDS
    assert (shown["status"], shown["response"], shown["startedAt"]) == (word, None, None)
    assert (shown["totalCount"], shown["finishedCount"]) == (1, 0)

    stopped = gameball("DELETE", path)
    assert stopped.status_code == 200
    assert stopped.json is not None
    assert set(stopped.json) == FIELDS
    assert stopped.json["status"] == "Stopped"
    assert [stopped.json[name] for name in ("totalCount", "finishedCount", "errorCount")] == [
        1,
        0,
        0,
    ]
    (result,) = stopped.json["response"]["results"]
    assert result["success"] is False
    assert result["message"] == "Canceled before it was processed"
    assert gameball.get(path).json == stopped.json

    again = gameball("DELETE", path)
    assert again.status_code == 409
    assert again.json is not None
    assert "CANCELED" in again.json["detail"]


def test_what_has_ended_cannot_be_stopped(gameball: Speaker, finish: Finish) -> None:
    started = gameball.post("/integrations/batch", GAMEBALL).json
    assert started is not None
    finish("gameball", started["batchId"])
    response = gameball("DELETE", f"/integrations/batch/{started['batchId']}")
    assert response.status_code == 409
