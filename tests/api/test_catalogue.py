"""Operations, limits and records."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from marshmallow import ValidationError
from marshmallow.fields import Field
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret, create_client
from app.db.records import RecordStore
from app.operations.jsonschema import item_schema
from app.web.responses import encode
from handlers import Operation, Registry
from handlers.fields import Flag, Number, Reference, Text, WholeNumber
from handlers.keys import join_key
from tests.api.conftest import Caller


@pytest.fixture
def store(engine: Engine, client: ClientSecret) -> Any:
    """Write records of the client's."""

    def write(collection: str, rows: list[tuple[str, Any]]) -> None:
        with engine.begin() as connection:
            RecordStore(connection, client.client_id).upsert(collection, rows)

    return write


def test_limits_are_told(api: Caller, small: Caller) -> None:
    assert api.get("/v1/limits").json == {
        "maxItemsJson": 100_000,
        "maxItemsStream": 5_000_000,
        "maxItemBytes": 262_144,
        "maxBodyBytes": 134_217_728,
        "defaultPageSize": 100,
        "maxPageSize": 1000,
        "maxWaitSeconds": 60,
    }
    assert small.get("/v1/limits").json["maxItemsJson"] == 5


def test_operations_are_listed(api: Caller, registry: Registry) -> None:
    listed = {entry["name"]: entry for entry in api.get("/v1/operations").json["data"]}
    assert listed.keys() == {operation.name for operation in registry}
    masterlist = listed["catalog.masterlist"]
    assert masterlist["key"] == ["asin", "countryCode"]
    assert masterlist["collection"] == "masterlist"
    assert (masterlist["bulk"], masterlist["maxAttempts"]) == (True, 3)
    assert masterlist["timeoutSeconds"] > 0
    assert masterlist["description"]
    assert masterlist["schema"]["required"] == ["asin", "countryCode", "percACoS"]
    assert listed["demo.sleep"]["collection"] is None


def test_every_schema_is_one(api: Caller, registry: Registry) -> None:
    entries = api.get("/v1/operations").json["data"]
    assert len(entries) == len(list(registry)) > 10
    for entry in entries:
        Draft202012Validator.check_schema(entry["schema"])
        operation = registry.get(entry["name"])
        assert operation is not None
        assert entry["schema"]["type"] == "object"
        assert entry["schema"].get("properties", {}).keys() == operation.loader.fields.keys()
        # An empty schema is one too, and takes everything.
        assert not Draft202012Validator(entry["schema"]).is_valid([])


WHATEVER = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**20),
    st.decimals(-2, 10, places=2, allow_nan=False).map(str),
    st.sampled_from(["", "A1", "US", "us", "true", "FALSE", "7", " 7 ", "1e3", "NaN", "x" * 300]),
    st.just([]),
)
NUMERALS = st.sampled_from(["1", " 0 ", "1e0", "+1", "0."])
# By a field's class: what it mostly takes, as JSON and as CSV bring it.
FITTING: dict[type[Field[Any]], st.SearchStrategy[Any]] = {
    Reference: st.sampled_from(["A1", "b 2", 7, 10**20]),
    Text: st.just("US"),
    Number: st.one_of(st.integers(0, 1), st.floats(0, 1), NUMERALS),
    WholeNumber: st.one_of(st.integers(0, 10**6), NUMERALS),
    Flag: st.sampled_from([True, False, "true", "FALSE", " True "]),
}


def items(operation: Operation) -> st.SearchStrategy[dict[str, Any]]:
    """Items most of whose fields fit; one in three has one that need not."""
    fields = operation.loader.fields
    fitting = {name: FITTING[type(field)] for name, field in fields.items()}
    odd = st.dictionaries(st.sampled_from([*fields, "other"]), WHATEVER, max_size=1)
    return st.builds(
        lambda item, odd, left_out: {
            name: value for name, value in {**item, **odd}.items() if name != left_out
        },
        st.fixed_dictionaries(fitting),
        st.one_of(st.just({}), st.just({}), odd),
        st.sampled_from([*[None] * 6, *fields]),
    )


@pytest.mark.parametrize("name", ["catalog.masterlist", "catalog.availability", "demo.sleep"])
def test_what_the_worker_takes_the_schema_takes(registry: Registry, name: str) -> None:
    """Never the other way round: JSON Schema cannot say everything that marshmallow checks."""
    operation = registry.get(name)
    assert operation is not None
    schema = Draft202012Validator(json.loads(encode(item_schema(operation.schema))))
    taken: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []

    @given(item=items(operation))
    @settings(max_examples=150, deadline=None)
    def check(item: dict[str, Any]) -> None:
        try:
            operation.load(item)
        except ValidationError:
            refused.append(item)
            return
        taken.append(item)
        assert schema.is_valid(item), item

    check()
    assert len(taken) >= 20, "hardly anything was taken, so hardly anything was shown"
    assert len(refused) >= 5
    # The schema says something, too.
    assert not all(schema.is_valid(item) for item in refused)


def test_a_record_is_shown(api: Caller, store: Any) -> None:
    store("masterlist", [("A1:US", {"percACoS": Decimal("2.70")})])
    store("masterlist", [("A1:US", {"percACoS": Decimal("2.80")})])
    answer = api.get("/v1/records/masterlist/A1:US")
    record = answer.json
    assert record["version"] == 2
    assert (record["collection"], record["key"]) == ("masterlist", "A1:US")
    assert record["updatedAt"].endswith("Z")
    assert '"percACoS":2.80' in answer.text


@given(parts=st.lists(st.text(st.characters(exclude_characters="\x00", codec="utf-8")), min_size=1))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_key_can_be_asked_for(api: Caller, store: Any, parts: list[str]) -> None:
    key = join_key(parts)
    if not key or len(key.encode()) > 1000:
        return
    store("oddities", [(key, {"parts": parts})])
    answer = api.get(f"/v1/records/oddities/{quote(key, safe='')}")
    assert answer.status_code == 200, key
    assert (answer.json["key"], answer.json["data"]) == (key, {"parts": parts})


@pytest.mark.parametrize("key", ["a%2Fb:c", "100%25", "x%3Ay:z"])
def test_a_quoted_part_is_quoted_once_more_in_the_path(api: Caller, store: Any, key: str) -> None:
    store("quoted", [(key, 1)])
    assert api.get(f"/v1/records/quoted/{quote(key, safe=':')}").json["key"] == key
    assert api.get(f"/v1/records/quoted/{key}").status_code == 404


@pytest.mark.parametrize("path", ["masterlist/none", "nothing/A1", "masterlist/%00", "%00/x"])
def test_no_such_record(api: Caller, path: str) -> None:
    assert api.get(f"/v1/records/{path}").status_code == 404


def test_records_are_listed_by_key_and_paged(api: Caller, store: Any) -> None:
    keys = sorted([f"k{number}" for number in range(7)] + ["K", "a%2Fb", "é"], key=str.encode)
    store("listed", [(key, {}) for key in keys])
    found: list[str] = []
    cursor = ""
    while True:
        page = api.get(f"/v1/records/listed?limit=3{cursor}").json
        found += [record["key"] for record in page["data"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert found == keys
    assert api.get(f"/v1/records/other?limit=3{cursor}").status_code == 422
    assert api.get("/v1/records/other").json == {"data": [], "next": None}
    assert api.get("/v1/records/%00").json["data"] == []


def test_records_are_the_clients_own(app: Any, api: Caller, store: Any, engine: Engine) -> None:
    store("private", [("k", 1)])
    other = Caller(app, create_client(engine, f"other {uuid4()}"))
    assert other.get("/v1/records/private/k").status_code == 404
    assert other.get("/v1/records/private").json["data"] == []
    assert api.get("/v1/records/private/k").json["data"] == 1
