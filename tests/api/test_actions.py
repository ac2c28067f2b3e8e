"""The routes of actions: what each does in which state is tested with the actions themselves."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.api import actions
from app.batches.actions import act, remove
from app.batches.long_work import Pace, continue_long_work
from app.core.settings import Settings
from tests.api.conftest import ITEM, Caller, make_app
from tests.api.test_reading import ended

# A database of this module's own: no worker carries on what is to be looked at half done.


@pytest.fixture(scope="module")
def engine(own_engine: Engine) -> Engine:
    """On that database."""
    return own_engine


@pytest.fixture(scope="module")
def app(own_settings: Settings, own_engine: Engine) -> Iterator[Flask]:
    """The application there."""
    yield from make_app(own_settings)


def scheduled(api: Caller) -> str:
    answer = api.submit(
        {"operation": "catalog.masterlist", "items": [ITEM], "scheduledAt": "2099-01-01T00:00:00Z"}
    )
    return str(answer.json["id"])


@pytest.fixture
def over(api: Caller, engine: Engine) -> str:
    """A batch that has ended, one of its items FAILED and one INVALID."""
    batch_id = api.opened([ITEM] * 4)
    ended(engine, batch_id, completed=2, failed=1, invalid=1)
    return batch_id


def test_an_action_answers_202_with_the_batch(api: Caller) -> None:
    batch_id = api.opened([ITEM])
    answer = api.post(f"/v1/batches/{batch_id}/cancel")
    assert (answer.status_code, answer.json["id"]) == (202, batch_id)


def test_a_move_that_is_not_allowed_names_the_state(api: Caller, over: str) -> None:
    for action in ("start", "pause", "resume", "cancel"):
        answer = api.post(f"/v1/batches/{over}/{action}")
        assert answer.status_code == 409
        assert "PARTIAL" in answer.json["detail"]
    empty = api.post(f"/v1/batches/{api.opened()}/start")
    assert empty.status_code == 409
    assert "OPEN" in empty.json["detail"]


def test_retry_takes_the_statuses(api: Caller, over: str) -> None:
    path = f"/v1/batches/{over}/retry"
    assert api.post(path, {"statuses": ["CANCELED"]}).status_code == 409
    for wrong in (["SUCCESS"], ["failed"], [], "FAILED", [1], None):
        answer = api.post(path, {"statuses": wrong})
        assert answer.status_code == 422
        assert answer.json["errors"][0]["pointer"].startswith("/statuses")
    assert api.post(path, {"status": ["FAILED"]}).json["errors"][0]["pointer"] == "/status"
    answer = api.post(path, {"statuses": ["FAILED", "INVALID"]})
    assert (answer.status_code, answer.json["status"]) == (202, "PENDING")


def test_retry_runs_the_failed_ones_unless_said(api: Caller, over: str, engine: Engine) -> None:
    assert api.post(f"/v1/batches/{over}/retry").status_code == 202
    with engine.connect() as connection:
        left = connection.execute(
            text("SELECT count(*) FROM items WHERE batch_id = :id AND status = 'INVALID'"),
            {"id": over},
        ).scalar_one()
    assert left == 1


def test_reset_empties_it(api: Caller, over: str) -> None:
    answer = api.post(f"/v1/batches/{over}/reset")
    assert (answer.json["status"], answer.json["summary"]["total"]) == ("OPEN", 0)


@pytest.mark.parametrize("action", ["start", "pause", "resume", "cancel", "reset"])
def test_no_other_action_takes_a_body(api: Caller, action: str) -> None:
    batch_id = api.opened([ITEM])
    path = f"/v1/batches/{batch_id}/{action}"
    assert api.post(path, {"statuses": ["FAILED"]}).status_code == 422
    assert api.post(path, "{").status_code == 400
    assert api.post(path, "<a/>", content_type="text/xml").status_code == 415
    assert api.post(f"{path}?force=1").status_code == 422
    assert api.get(f"/v1/batches/{batch_id}").json["status"] == "OPEN"


def test_an_empty_object_is_no_body(api: Caller) -> None:
    assert api.post(f"/v1/batches/{api.opened([ITEM])}/cancel", {}).status_code == 202


def test_no_such_action_or_batch(api: Caller) -> None:
    assert api.post(f"/v1/batches/{api.opened()}/explode").status_code == 404
    assert api.post(f"/v1/batches/{uuid4()}/cancel").status_code == 404


def patch(api: Caller, batch_id: str, changes: Any, **options: Any) -> Any:
    return api.send("PATCH", f"/v1/batches/{batch_id}", json=changes, **options)


def test_name_and_metadata_can_be_changed(api: Caller, over: str) -> None:
    answer = patch(api, over, {"name": "n", "metadata": {"a": 1}})
    assert answer.status_code == 200
    assert (answer.json["name"], answer.json["metadata"]) == ("n", {"a": 1})
    answer = patch(api, over, {"metadata": None})
    assert (answer.json["name"], answer.json["metadata"]) == ("n", None)
    before = api.get(f"/v1/batches/{over}").headers["ETag"]
    assert patch(api, over, {}).headers["ETag"] == before


def test_the_time_can_be_changed_while_it_waits(api: Caller, over: str) -> None:
    batch_id = scheduled(api)
    answer = patch(api, batch_id, {"scheduledAt": "2098-01-01T00:00:00Z"})
    assert answer.json["scheduledAt"] == "2098-01-01T00:00:00.000Z"
    assert patch(api, batch_id, {"scheduledAt": None}).json["status"] == "OPEN"
    assert patch(api, batch_id, {"scheduledAt": "2020-01-01T00:00:00Z"}).status_code == 422
    assert patch(api, over, {"scheduledAt": "2098-01-01T00:00:00Z"}).status_code == 409


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": 7}, "/name"),
        ({"name": "n" * 256}, "/name"),
        ({"metadata": []}, "/metadata"),
        ({"scheduledAt": "soon"}, "/scheduledAt"),
        ({"status": "SUCCESS"}, "/status"),
        ({"items": []}, "/items"),
    ],
)
def test_what_cannot_be_changed_is_named(api: Caller, changes: Any, pointer: str) -> None:
    answer = patch(api, api.opened(), {"name": "x", **changes})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json["errors"]] == [pointer]


def test_only_json_is_a_change(api: Caller) -> None:
    path = f"/v1/batches/{api.opened()}"
    assert api.send("PATCH", path).status_code == 415
    assert api.send("PATCH", path, data="name=x").status_code == 415
    assert api.send("PATCH", path, data="{", content_type="application/json").status_code == 400


def test_an_ended_batch_can_be_deleted(api: Caller, over: str, rows: Any) -> None:
    staged = api.opened([ITEM])
    assert api.send("DELETE", f"/v1/batches/{staged}").status_code == 409
    answer = api.send("DELETE", f"/v1/batches/{over}")
    assert (answer.status_code, answer.data) == (204, b"")
    assert api.get(f"/v1/batches/{over}").status_code == 404
    assert rows() == (1, 1)


# What a request does of a long action before it answers: here, two steps of an item.
STEP = Pace(items=1, seconds=0.0)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that do little, as those for millions of items do."""
    monkeypatch.setattr(actions, "remove", partial(remove, pace=STEP))
    monkeypatch.setattr(actions, "act", partial(act, pace=STEP))


@pytest.mark.usefixtures("hurried")
def test_a_long_delete_goes_on_behind_its_answer(api: Caller, over: str, engine: Engine) -> None:
    path = f"/v1/batches/{over}"
    answer = api.send("DELETE", path)
    assert (answer.status_code, answer.json["status"]) == (202, "PARTIAL")
    assert answer.json["doing"] == {"action": "delete", "done": 2, "total": 4}
    assert "Retry-After" in answer.headers
    refused = api.post(f"{path}/retry")
    assert refused.status_code == 409
    assert "being deleted" in refused.json["detail"]
    assert api.send("DELETE", path).json["doing"]["done"] == 3
    assert api.send("DELETE", path).status_code == 204
    assert api.get(path).status_code == 404


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    ("action", "total", "then"), [("retry", 2, "PENDING"), ("reset", 4, "OPEN")]
)
def test_a_long_action_shows_how_far_it_is(
    api: Caller, over: str, engine: Engine, action: str, total: int, then: str
) -> None:
    path = f"/v1/batches/{over}"
    body = {"statuses": ["FAILED", "INVALID"]} if action == "retry" else None
    with engine.begin() as connection:
        # As canceled ones have none, they would be looked for otherwise.
        connection.execute(
            text("UPDATE items SET code = 500 WHERE batch_id = :id AND status <> 'SUCCESS'"),
            {"id": over},
        )
    answer = api.post(f"{path}/{action}", body)
    assert answer.status_code == 202
    if action == "reset":
        assert answer.json["doing"] == {"action": action, "done": 2, "total": total}
        seen = api.get(path)
        assert seen.json == answer.json
        [listed] = api.get("/v1/batches").json["data"]
        assert listed == seen.json
        continue_long_work(engine, UUID(over), STEP)
        changed = api.get(path, headers={"If-None-Match": seen.headers["ETag"]})
        assert (changed.status_code, changed.json["doing"]["done"]) == (200, 3)
        continue_long_work(engine, UUID(over), STEP)
    done = api.get(path).json
    assert (done["status"], done["doing"]) == (then, None)


@pytest.mark.usefixtures("hurried")
def test_who_waits_for_a_batch_waits_for_its_long_action(
    api: Caller, over: str, engine: Engine
) -> None:
    api.send("DELETE", f"/v1/batches/{over}")
    assert api.get(f"/v1/batches/{over}?wait=1").json["doing"]["action"] == "delete"
    continue_long_work(engine, UUID(over))
    assert api.get(f"/v1/batches/{over}?wait=5").status_code == 404
