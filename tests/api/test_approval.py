"""approve and reject: who may, when, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret, create_client, rotate_client
from app.clients.keys import create_key
from tests.api.conftest import ITEM, Caller

# As workers would have it, in one transaction, so that none comes for it.
_LOOKED_AT = (
    """UPDATE batches SET status = 'PENDING', phase = 'validate', approval = 'checking'
       WHERE id = :id""",
    "UPDATE batches SET status = 'RUNNING' WHERE id = :id",
    "UPDATE batches SET status = 'AWAITING', phase = 'run', approval = 'needed' WHERE id = :id",
)


@pytest.fixture
def awaiting(api: Caller, engine: Engine) -> Callable[..., str]:
    """Makes a batch that is AWAITING."""

    def make(**fields: Any) -> str:
        batch_id = api.opened([ITEM], approval=True, **fields)
        await_approval(engine, batch_id)
        return f"/v1/batches/{batch_id}"

    return make


def await_approval(engine: Engine, batch_id: str) -> None:
    """All of it has been looked at."""
    with engine.begin() as connection:
        for statement in _LOOKED_AT:
            connection.execute(text(statement), {"id": batch_id})


@pytest.fixture
def other_key(app: Flask, engine: Engine, client: ClientSecret) -> Callable[..., Caller]:
    """Makes another key of the client."""

    def make(*scopes: str) -> Caller:
        return Caller(app, create_key(engine, client.client_id, scopes=scopes or None))

    return make


def test_the_body_says_so(api: Caller, awaiting: Callable[..., str]) -> None:
    batch = api.get(awaiting()).json
    assert (batch["status"], batch["approval"]) == ("AWAITING", True)
    assert (batch["waitingFor"], batch["finishedAt"]) == ("approval", None)
    assert api.get("/v1/batches?status=AWAITING").json["data"] == [batch]


def test_the_body_bears_what_was_chosen(api: Caller) -> None:
    chosen = {
        "onInvalid": "reject",
        "maxFailures": 7,
        "maxFailurePercent": 12.5,
        "approval": True,
        "dryRun": False,
    }
    batch = api.get(f"/v1/batches/{api.opened([ITEM], **chosen, minProcessed=5)}").json
    assert {name: batch[name] for name in chosen} == chosen
    assert batch["waitingFor"] is None
    later = {"scheduledAt": "2099-01-01T00:00:00Z", "items": [ITEM]}
    batch = api.submit({"operation": "catalog.masterlist", **later}).json
    assert (batch["waitingFor"], batch["approval"]) == ("schedule", False)
    query = "operation=catalog.masterlist&start=manual&maxFailurePercent=0.1&approval=true"
    batch = api.submit(b"[]", query=query).json
    assert (batch["maxFailurePercent"], batch["approval"]) == (0.1, True)


def test_the_key_that_submitted_may_not_approve(
    api: Caller, app: Flask, engine: Engine, client: ClientSecret, awaiting: Callable[..., str]
) -> None:
    path = awaiting()
    before = api.get(path).json
    assert api.post(f"{path}/approve").status_code == 403
    rotated = Caller(app, rotate_client(engine, client.client_id))
    assert rotated.post(f"{path}/approve").status_code == 403
    assert rotated.get(path).json == before


def test_nor_may_one_that_appended(
    api: Caller, engine: Engine, other_key: Callable[..., Caller]
) -> None:
    batch_id = api.opened([ITEM], approval=True)
    appender, third = other_key(), other_key()
    path = f"/v1/batches/{batch_id}"
    assert appender.post(f"{path}/items", [ITEM]).status_code == 200
    await_approval(engine, batch_id)
    assert appender.post(f"{path}/approve").status_code == 403
    assert api.post(f"{path}/approve").status_code == 403
    assert third.post(f"{path}/approve").status_code == 202


def test_another_key_approves_and_it_is_told(
    api: Caller, other_key: Callable[..., Caller], awaiting: Callable[..., str]
) -> None:
    path = awaiting()
    key = other_key("batches.write", "batches.read")
    assert key.post(f"{path}/approve").status_code == 202
    assert key.post(f"{path}/approve").status_code == 409
    [entry] = api.get(f"/v1/audit?action=batch.approve&batch={path[12:]}").json["data"]
    assert (entry["detail"], entry["keyId"]) == ({"items": 1, "invalid": 0}, str(_id_of(key)))


def test_whoever_submitted_may_reject(api: Caller, awaiting: Callable[..., str]) -> None:
    path = awaiting()
    answer = api.post(f"{path}/reject")
    assert answer.status_code == 202
    batch = answer.json
    assert (batch["status"], batch["stopReason"]) == ("CANCELED", "rejected")
    assert (batch["summary"]["canceled"], batch["waitingFor"]) == (1, None)
    told = api.get(f"/v1/audit?batch={path[12:]}").json["data"]
    assert [entry["action"] for entry in told] == ["batch.reject", "batch.submit"]


def test_reading_alone_does_not_do(
    other_key: Callable[..., Caller], awaiting: Callable[..., str]
) -> None:
    path, reader = awaiting(), other_key("batches.read")
    assert reader.post(f"{path}/approve").status_code == 403
    assert reader.post(f"{path}/reject").status_code == 403


def test_an_admin_approves_what_is_not_its_own(
    admin: Caller, app: Flask, engine: Engine, awaiting: Callable[..., str]
) -> None:
    assert admin.post(f"{awaiting()}/approve").status_code == 202
    both = create_client(engine, f"both {uuid4()}", ["admin", "batches.write", "batches.read"])
    own = Caller(app, both)
    batch_id = own.opened([ITEM], approval=True)
    await_approval(engine, batch_id)
    assert own.post(f"/v1/batches/{batch_id}/approve").status_code == 403
    by_admin = awaiting()
    assert admin.post(f"{by_admin}/reject").json["stopReason"] == "rejected"


def test_an_admin_that_appended_may_not_approve(admin: Caller, api: Caller, engine: Engine) -> None:
    batch_id = api.opened([ITEM], approval=True)
    assert admin.post(f"/v1/batches/{batch_id}/items", [ITEM]).status_code == 200
    await_approval(engine, batch_id)
    assert admin.post(f"/v1/batches/{batch_id}/approve").status_code == 403


def test_anothers_is_not_there(app: Flask, engine: Engine, awaiting: Callable[..., str]) -> None:
    other = Caller(app, create_client(engine, f"other {uuid4()}"))
    path = awaiting()
    for action in ("approve", "reject"):
        assert other.post(f"{path}/{action}").status_code == 404


@pytest.mark.parametrize("action", ["start", "pause", "resume", "retry", "reset"])
def test_all_else_is_refused_by_name(
    api: Caller, awaiting: Callable[..., str], action: str
) -> None:
    path = awaiting()
    answer = api.post(f"{path}/{action}")
    assert (answer.status_code, "AWAITING" in answer.json["detail"]) == (409, True)
    assert api.post(f"{path}/items", [ITEM]).status_code == 409
    assert api.send("DELETE", path).status_code == 409
    assert api.send("PATCH", path, json={"scheduledAt": None}).status_code == 409
    assert api.send("PATCH", path, json={"name": "new"}).json["name"] == "new"
    assert api.post(f"{path}/cancel").json["stopReason"] == "canceled"


def _id_of(key: Caller) -> Any:
    assert key.client is not None
    return key.client.key_id
