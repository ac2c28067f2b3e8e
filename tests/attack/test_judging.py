"""What counts as the clean 503, and what as a fault of the server's, is judged closely."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from app.core.errors import Unavailable
from app.web.problems import type_of
from tests.api.test_anothers_ids import MARK
from tests.attack.addresses import heard, listening
from tests.attack.asking import Connection
from tests.attack.flood import BUSY, is_clean
from tests.attack.generated_requests import _server_errors
from tests.attack.refusals import NOT_THERE, Case
from tests.support.hostile_names import answering, name_of
from tests.support.receiver import Reply, receiving

BODY = json.dumps({"type": BUSY}).encode()


def test_a_503_is_clean_only_if_it_says_that_others_have_it_and_when_to_come_back() -> None:
    assert is_clean("2", BODY)
    assert not is_clean(None, BODY)
    assert not is_clean("soon", BODY)
    away = json.dumps({"type": type_of(Unavailable)}).encode()
    assert not any(is_clean("5", body) for body in (away, b"", b"<html>", b"[]", b"{}"))


def test_what_went_wrong_is_found_in_the_log(tmp_path: Path) -> None:
    def found(*entries: dict[str, object]) -> int:
        log = tmp_path / "web.log"
        log.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
        return len(_server_errors(log))

    request = {"method": "GET", "path": "/v1/batches"}
    clean = {**request, "event": "request.failed", "status": 503, "type": BUSY}
    assert found({**request, "status": 200}, clean, {**request, "status": 503}) == 0
    assert found({**clean, "type": type_of(Unavailable)}) == 1
    assert found({**request, "status": 500}) == 1
    assert found({"event": "loop.failed"}, {"event": "thread.crashed"}) == 2
    assert found({"event": "Error while answering GET /"}) == 1


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(404, b"nothing"), None),
        (Reply(404, MARK.encode()), "shows what is another's"),
        (Reply(200, b"nothing"), "200"),
        (Reply(503, b"nothing"), "503"),
        (Reply(503, BODY, {"Retry-After": "2"}), "all places were taken"),
    ],
)
def test_an_answer_to_a_wrong_caller_is_held_to_what_it_may_be(
    reply: Reply, said: str | None
) -> None:
    case = Case("a stranger", "POST", "/", {}, b"{}", NOT_THERE)
    with receiving(lambda _: reply) as receiver:
        with Connection(("127.0.0.1", receiver.port)) as connection:
            found = connection.judged(case)
        tries = len(receiver.received)
    assert (found is None) if said is None else (said in (found or ""))
    assert (tries > 1) is (reply.headers != {})


def test_who_connects_to_where_nothing_may_go_is_heard() -> None:
    with listening() as (port, sockets):
        assert not heard(sockets)
        with socket.create_connection(("127.0.0.2", port)):
            assert heard(sockets)


def test_hostile_names_stand_for_what_they_say() -> None:
    resolve = answering(socket.getaddrinfo)

    def found(name: str) -> list[str]:
        return [str(entry[4][0]) for entry in resolve(name, 80, type=socket.SOCK_STREAM)]

    assert found(name_of("127.0.0.2")) == ["127.0.0.2"]
    assert found(name_of("::1")) == ["::1"]
    assert found(name_of(("8.8.8.8", "10.0.0.1"))) == ["8.8.8.8", "10.0.0.1"]
    moves = name_of("127.0.0.1", "127.0.0.2")
    assert [found(moves), found(moves), found(moves)] == [
        ["127.0.0.1"],
        ["127.0.0.2"],
        ["127.0.0.2"],
    ]
    assert found("127.0.0.3") == ["127.0.0.3"]
