"""What nests too deep, or has a number that few readers take: INVALID in an item, 422 beside it."""

from __future__ import annotations

import gzip
import json
from time import thread_time
from typing import Any

import pytest

from app.clients.credentials import ClientSecret
from app.core.errors import Invalid
from app.web.jsonbody import IN_MEMORY, SMALL, fields_of, read_object
from tests.api.conftest import ITEM, MASTERLIST, Answer, Caller
from tests.support.stack import Stack

NDJSON = "application/x-ndjson"
GOOD = json.dumps(ITEM)
DEEP = "[" * 80 + "]" * 80
VERY_DEEP = "[" * 20_000 + "]" * 20_000
# What is in the item, and what its message has to say.
BEYOND = {
    f'{{"asin":"A","tree":{DEEP}}}': ("tree", "64 levels"),
    f'{{"asin":"A","tree":{{"of":{VERY_DEEP}}}}}': ("tree.of", "64 levels"),
    '{"asin":"A","percACoS":1e999}': ("percACoS", "a double"),
    f'{{"asin":"A","percACoS":0.{"1" * 1000}}}': ("percACoS", "1,000 digits"),
    f'{{"operation":"catalog.masterlist","data":{{"asin":{DEEP}}}}}': ("asin", "64 levels"),
    f'{{"operation":"catalog.masterlist","data":{{"asin":{VERY_DEEP}}}}}': ("asin", "64 levels"),
}
# Where the fields of a submission stand beside its items, and how the rest of it is sent.
LARGE = " " * IN_MEMORY
WAYS: dict[str, tuple[str, str]] = {
    "array": ("[{}]", "application/json"),
    "object": ('{{"items":[{}]}}', "application/json"),
    "a large array": ("[{}" + LARGE + "]", "application/json"),
    "a large object": ('{{"items":[{}]' + LARGE + "}}", "application/json"),
}


def strictly(text: str) -> Any:
    """As a reader that gives up where common ones do."""

    def number(digits: str) -> float:
        assert float(digits) not in (float("inf"), float("-inf"))
        return float(digits)

    assert max(len(run) for run in text.split('"')) < 5000
    return json.loads(text, parse_float=number, parse_int=number)


@pytest.mark.parametrize("way", WAYS)
def test_items_end_invalid_and_the_others_run(
    api: Caller, stack: Stack, client: ClientSecret, way: str
) -> None:
    form, kind = WAYS[way]
    body = form.format(",".join([GOOD, *BEYOND, GOOD]))
    run(api, stack, client, body, kind)


@pytest.mark.parametrize("zipped", [False, True])
def test_lines_of_such_items(api: Caller, stack: Stack, client: ClientSecret, zipped: bool) -> None:
    body = "\n".join([GOOD, *BEYOND, GOOD])
    run(api, stack, client, body, NDJSON, zipped=zipped)


def run(
    api: Caller, stack: Stack, client: ClientSecret, body: str, kind: str, *, zipped: bool = False
) -> None:
    headers = {"Content-Encoding": "gzip"} if zipped else {}
    sent = gzip.compress(body.encode()) if zipped else body.encode()
    opened = api.opened()
    appended = api.post(f"/v1/batches/{opened}/items", sent, content_type=kind, headers=headers)
    assert appended.status_code == 200
    answer = api.submit(sent, query=MASTERLIST, content_type=kind, headers=headers)
    assert answer.status_code == 202
    # Also before anybody has looked at them.
    shown = strictly(api.get(f"/v1/batches/{opened}/items").text)["data"]
    assert [item["input"] for item in shown] == [ITEM, *[None] * len(BEYOND), ITEM]
    with stack.http(client) as http:
        batch = stack.finished(http, answer.json["id"])
    assert (batch["summary"]["invalid"], batch["summary"]["completed"]) == (len(BEYOND), 2)
    path = f"/v1/batches/{answer.json['id']}"
    items = strictly(api.get(f"{path}/items").text)["data"]
    for item, (name, why) in zip(items[1:-1], BEYOND.values(), strict=True):
        assert (item["status"], item["input"], item["key"]) == ("INVALID", None, None)
        assert item["message"].startswith(f"{name}")
        assert why in item["message"]
    lines = api.get(f"{path}/results").text.splitlines()
    assert [strictly(line)["input"] for line in lines[1:-1]] == [None] * len(BEYOND)
    assert "null" in api.get(f"{path}/results?format=csv").text.splitlines()[1 + 1]
    again = api.get(f"{path}/results?format=resubmit").text
    assert strictly("[" + ",".join(again.splitlines()) + "]")
    assert api.submit(again, query=f"{MASTERLIST}&start=manual", content_type=NDJSON)


@pytest.mark.parametrize(
    ("value", "why"),
    [(DEEP, "64 levels"), (VERY_DEEP, "64 levels"), ("1e999", "double"), ("1" * 5000, "digits")],
)
def test_the_envelope_names_the_field(api: Caller, rows: Any, value: str, why: str) -> None:
    before = rows()
    in_body = f'{{"operation":"catalog.masterlist","metadata":{{"a":{value}}},"items":[{GOOD}]}}'
    batch = api.opened()
    change = f'{{"metadata":{{"a":{value}}}}}'
    answers = [
        api.post("/v1/batches", in_body),
        api.send("PATCH", f"/v1/batches/{batch}", data=change, content_type="application/json"),
        api.post("/v1/batches", f"[{GOOD}]", query_string={"metadata": f'{{"a":{value}}}'}),
    ]
    if len(value) < 10_000:
        answers.append(api.post("/v1/batches", in_body.replace('"items"', LARGE + '"items"')))
    for answer in answers:
        assert answer.status_code == 422
        assert answer.json["errors"][0]["pointer"] == "/metadata"
        assert why in answer.json["errors"][0]["message"]
    assert rows() == (before[0] + 1, before[1])


@pytest.mark.parametrize("body", ['{"items":[1],"x":%s}', "%s", '{"items":%s}'])
def test_other_json_that_nests_deep(api: Caller, body: str) -> None:
    """None of it is an error of ours."""
    for deep in (VERY_DEEP, VERY_DEEP[:-1], "[" * 50_000):
        assert api.post("/v1/batches", body % deep).status_code in (400, 422)


def large(*items: str, before: str = "", behind: str = "") -> str:
    """A body that is not held as a whole."""
    return f'{{{before}"operation":"catalog.masterlist","start":"manual",{LARGE}' + (
        f'"items":[{",".join(items)}]{behind}}}'
    )


def test_a_large_body_is_read_as_a_small_one(api: Caller) -> None:
    spread = '{"asin" :\n"A1",\r\n "n": 1.50, "n": 2, "long": "%s"}' % ("x" * 200_000)
    answer = api.post("/v1/batches", large(spread, GOOD, "7", spread, before='"name":"n m",'))
    assert (answer.status_code, answer.json["name"]) == (202, "n m")
    assert answer.json["summary"]["total"] == 4
    assert f'"input":{spread},"' in api.get(f"/v1/batches/{answer.json['id']}/items/3").text
    twice = api.post("/v1/batches", large(GOOD, GOOD, behind=f',"items":[{GOOD}]'))
    assert twice.json["summary"]["total"] == 1


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        (large(GOOD, '{"a":}'), 400, None),
        (large(GOOD, "NaN"), 400, None),
        (large(GOOD)[:-1], 400, None),
        (large(GOOD) + "]", 400, None),
        (large(GOOD, behind=',"foo":1'), 422, "/foo"),
        (large(GOOD, behind=',"maxFailures":"x"'), 422, "/maxFailures"),
        (large(GOOD, behind=f',"metadata":"{"x" * 70_000}"'), 422, "/metadata"),
        (large(GOOD, f'"{"x" * 300_000}"', behind=',"foo":1'), 413, "/items/1"),
        (large(GOOD, behind=f',"items":"{LARGE[:-100]}"'), 422, "/items"),
        ('"' + LARGE + '"', 422, ""),
    ],
)
def test_what_is_wrong_in_a_large_body(
    api: Caller, rows: Any, body: str, status: int, pointer: str | None
) -> None:
    answer = api.post("/v1/batches", body)
    assert answer.status_code == status
    if pointer is not None:
        assert answer.json["errors"][0]["pointer"] == pointer
    assert rows() == (0, 0)


def test_an_item_too_many_in_a_large_body(small: Caller, rows: Any) -> None:
    body = large(*["1"] * 6)
    answer = small.post("/v1/batches", body.replace(LARGE, ""))
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (413, "/items/5")
    assert rows() == (0, 0)


@pytest.mark.parametrize("longest", [None, SMALL])
def test_a_field_that_is_too_long_says_how_long_it_may_be(longest: int | None) -> None:
    most = longest or 64 * 1024
    said = {} if longest is None else {"longest": longest}
    for size, refused in ((most, False), (most + 1, True)):
        fields = read_object(b'{"name": "%s"}' % (b"x" * (size - 2)))
        if not refused:
            assert len(fields_of(fields, **said)["name"]) == size - 2
            continue
        with pytest.raises(Invalid, match=f"at most {most} bytes"):
            fields_of(fields, **said)


MANY_MEMBERS = "{" + ",".join(f'"n{n}":1' for n in range(1001)) + "}"
MANY_UNKNOWN = "{" + ",".join(f'"n{n}":1' for n in range(1000)) + "}"
LONG_NAME = '{"' + "n" * 900_000 + '":1}'
EMPTY_TEXTS = ",".join(['""'] * 349_000)
# Where a body of a client's may be sent to, of one batch and item that there is.
TAKERS = [
    ("POST", "/v1/batches"),
    ("POST", "/v1/batches/{id}/items"),
    ("POST", "/v1/batches/{id}/pause"),
    ("POST", "/v1/batches/{id}/retry"),
    ("POST", "/v1/batches/{id}/items/retry"),
    ("POST", "/v1/batches/{id}/items/cancel"),
    ("PATCH", "/v1/batches/{id}"),
    ("PATCH", "/v1/batches/{id}/items/0"),
    ("POST", "/v1/webhooks"),
]


def costs_little(api: Caller, method: str, path: str, body: str) -> Answer:
    """Sent gzipped, which makes a KiB or two of it: refused at once, in few words."""
    headers = {"Content-Encoding": "gzip"}
    sent = gzip.compress(body.encode())
    began = thread_time()
    answer = api.send(method, path, data=sent, content_type="application/json", headers=headers)
    assert thread_time() - began < 1
    assert answer.status_code in (400, 413, 422), answer.text[:500]
    assert len(answer.data) < 64 * 1024
    return answer


@pytest.mark.parametrize(("method", "path"), TAKERS)
def test_a_small_request_makes_no_large_answer(api: Caller, method: str, path: str) -> None:
    path = path.replace("{id}", api.opened([ITEM]))
    answer = costs_little(api, method, path, MANY_MEMBERS)
    assert answer.status_code == 400
    assert "1,000 members" in answer.json["detail"]
    answer = costs_little(api, method, path, MANY_UNKNOWN)
    assert (answer.status_code, len(answer.json["errors"])) == (422, 101)
    assert "More is wrong" in answer.json["errors"][-1]["message"]
    costs_little(api, method, path, LONG_NAME)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("items/retry", f'{{"indexes":[{EMPTY_TEXTS}]}}'),
        ("items/retry", f'{{"indexes":[{",".join(["-1"] * 9000)}]}}'),
        ("items/cancel", f'{{"where":{{"status":[{EMPTY_TEXTS}]}}}}'),
        ("items/cancel", f'{{"where":{MANY_MEMBERS}}}'),
        ("retry", f'{{"statuses":[{EMPTY_TEXTS[:60_002]}]}}'),
    ],
    ids=["indexes", "wrong indexes", "status", "where", "statuses"],
)
def test_a_list_is_not_looked_through_before_its_length(api: Caller, path: str, body: str) -> None:
    answer = costs_little(api, "POST", f"/v1/batches/{api.opened([ITEM])}/{path}", body)
    assert answer.status_code == 422


def test_members_of_a_ramp_and_steps(api: Caller) -> None:
    for ramp in (MANY_MEMBERS, f'{{"steps":[{EMPTY_TEXTS[:60_002]}]}}'):
        body = f'{{"operation":"catalog.masterlist","ramp":{ramp},"items":[]}}'
        answer = costs_little(api, "POST", "/v1/batches", body)
        assert answer.json["errors"][0]["pointer"].startswith("/ramp")


def test_an_admins_bodies(admin: Caller) -> None:
    texts = f'{{"name":"n","scopes":[{EMPTY_TEXTS[:60_002]}],"networks":"x"}}'
    for body in (MANY_MEMBERS, MANY_UNKNOWN, texts):
        costs_little(admin, "POST", "/v1/clients", body)


def test_an_item_may_have_more_members_than_an_envelope(api: Caller) -> None:
    batch = api.opened([ITEM])
    path = f"/v1/batches/{batch}/items/0"
    changed = api.send(
        "PATCH", path, data=f'{{"input":{MANY_MEMBERS}}}', content_type="application/json"
    )
    assert (changed.status_code, len(changed.json["input"])) == (200, 1001)
