"""Whatever bytes are sent: an answer that is no 5xx, and nothing kept of what is refused."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.api.conftest import ITEM, MASTERLIST, Caller

QUIET = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS: dict[str, Any] = {
    "operation": st.sampled_from(["catalog.masterlist", "catalog.price", "x", ""]) | JSON,
    "name": st.text(max_size=300) | JSON,
    "items": st.lists(JSON | st.just(ITEM), max_size=5) | JSON,
    "start": st.sampled_from(["now", "manual"]) | JSON,
    "scheduledAt": st.datetimes().map(str) | st.sampled_from(["2099-01-01T00:00:00Z"]) | JSON,
    "onInvalid": st.sampled_from(["partial", "reject"]) | JSON,
    "maxFailures": st.integers(-2, 2**33) | JSON,
    "dryRun": st.booleans() | JSON,
    "metadata": st.dictionaries(st.text(), JSON) | JSON,
    "other": JSON,
}
ENVELOPES = st.dictionaries(st.sampled_from(sorted(FIELDS)), st.just(None)).flatmap(
    lambda names: st.fixed_dictionaries({name: FIELDS[name] for name in names})
)
KINDS = st.sampled_from(["application/json", "application/x-ndjson", "text/csv"])


def accepted(answer: Any) -> bool:
    """Whether it was; any refusal must be one of the caller's making."""
    assert answer.status_code in (202, 400, 413, 415, 422), answer.text
    return bool(answer.status_code == 202)


@given(body=ENVELOPES, ascii_only=st.booleans())
@example(body={"metadata": {"": "\ud800"}}, ascii_only=True)
@example(body={"operation": "catalog.masterlist", "items": ["\x00\u2028"]}, ascii_only=False)
@QUIET
def test_any_envelope(api: Caller, rows: Any, body: dict[str, Any], ascii_only: bool) -> None:
    body["start"] = "manual" if body.get("start") == "now" else body.get("start", "manual")
    before = rows()
    sent = json.dumps(body, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    answer = api.post("/v1/batches", sent)
    if not accepted(answer):
        assert rows() == before
        return
    items = body.get("items", [])
    assert rows() == (before[0] + 1, before[1] + len(items))
    shown = api.get(f"/v1/batches/{answer.json['id']}")
    assert shown.json == answer.json
    assert shown.json["metadata"] == body.get("metadata")
    data = api.get(f"/v1/batches/{answer.json['id']}/items").json["data"]
    for item, kept in zip(items, data, strict=True):
        own = isinstance(item, dict) and item.keys() == {"operation", "data"}
        assert own or kept["input"] == item


@given(kind=KINDS, body=st.binary(max_size=200) | st.text().map(lambda text: text.encode()))
@QUIET
def test_any_bytes(api: Caller, rows: Any, kind: str, body: bytes) -> None:
    before = rows()
    answer = api.submit(body, query=f"{MASTERLIST}&start=manual", content_type=kind)
    if not accepted(answer):
        assert rows() == before
    else:
        assert rows() == (before[0] + 1, before[1] + answer.json["summary"]["total"])


@given(
    kind=KINDS,
    whole=st.lists(st.just(ITEM), min_size=1, max_size=4),
    at=st.integers(0, 400),
    byte=st.integers(0, 255),
)
@QUIET
def test_one_byte_that_is_another(
    api: Caller, rows: Any, kind: str, whole: list[Any], at: int, byte: int
) -> None:
    if kind == "text/csv":
        text = "asin,countryCode,percACoS\n" + 'A1,"US",2.7\n' * len(whole)
    elif kind == "application/json":
        text = json.dumps({"items": whole})
    else:
        text = "\n".join(map(json.dumps, whole))
    body = bytearray(text.encode())
    body[at % len(body)] = byte
    before = rows()
    answer = api.submit(bytes(body), query=f"{MASTERLIST}&start=manual", content_type=kind)
    if not accepted(answer):
        assert rows() == before


@given(body=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
@QUIET
def test_any_body_of_any_other_request(api: Caller, body: bytes) -> None:
    batch_id = api.opened()
    for method, path in (
        ("POST", "/items"),
        ("POST", "/retry"),
        ("POST", "/pause"),
        ("PATCH", ""),
    ):
        answer = api.send(
            method, f"/v1/batches/{batch_id}{path}", data=body, content_type="application/json"
        )
        assert answer.status_code < 500, (method, path)


@given(
    path=st.sampled_from(
        ["/v1/batches", "/v1/batches/{}/items", "/v1/records/x", "/v1/batches/{}"]
    ),
    query=st.dictionaries(
        st.sampled_from(["limit", "cursor", "status", "key", "wait", "createdAfter", "reference"])
        | st.text(max_size=3),
        st.text(max_size=30) | st.integers(-1, 3).map(str),
        max_size=3,
    ),
)
@QUIET
def test_any_query(api: Caller, path: str, query: dict[str, str]) -> None:
    if "wait" in query and query["wait"].strip().isdecimal():
        query["wait"] = "0"
    answer = api.get(path.format(api.opened()), query_string=query)
    assert answer.status_code in (200, 422), answer.text
