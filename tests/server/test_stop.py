"""SIGTERM, with peers of every slow kind: it ends by itself, and leaves nothing behind."""

from __future__ import annotations

import json
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from tests.api.test_web_process import claims
from tests.server.conftest import a_web_process
from tests.server.talking import Talk, get
from tests.server.test_connections import GET, LINE, post
from tests.support.stack import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120), pytest.mark.whole]


def test_it_ends_by_itself(settings: Settings, client: ClientSecret, engine: Engine) -> None:
    with a_web_process(settings) as stack, ExitStack() as held, ThreadPoolExecutor(9) as pool:

        def talk(*lines: str, body: bytes = b"", receive_buffer: int | None = None) -> Talk:
            found = held.enter_context(Talk(stack, receive_buffer=receive_buffer))
            return found.send(*lines, body=body) if lines else found

        text = json.dumps({"asin": "A", "filling": "x" * 200_000}).encode() + b"\n"
        batch = talk(*post(client, f"Content-Length: {40 * len(text)}"), body=text * 40)
        batch_id = batch.answer().json["id"]

        silent, idle = talk(), talk(*GET)
        assert idle.answer().status == 200
        half = talk()
        half.socket.sendall(b"GET /healthz HT")
        bodies = [
            talk(
                *post(client, "Content-Length: 900000", "Idempotency-Key: large"), body=LINE * 900
            ),
            talk(*post(client, "Content-Length: 900", "Idempotency-Key: small"), body=LINE),
            talk(
                *post(client, "Transfer-Encoding: chunked", "Idempotency-Key: chunked"),
                body=b"%x\r\n%s\r\n" % (len(LINE), LINE),
            ),
        ]
        reader = talk(*get(client, f"/v1/batches/{batch_id}/results"), receive_buffer=4096)
        events = talk(*get(client, f"/v1/batches/{batch_id}/events"))
        assert events.answer().status == 200
        waiting = talk(*get(client, f"/v1/batches/{batch_id}?wait=60"))
        wait_for(lambda: claims(engine, client) == 3, within=20)

        stack.processes["web"].terminate()
        # What was being answered is, what was being sent is told to come back.
        answers = [pool.submit(each.answer) for each in (waiting, half, *bodies)]
        assert [answer.result(60).status for answer in answers] == [200] + [503] * 4
        assert answers[0].result().json["status"] == "OPEN"
        for each in (silent, idle, half):
            assert each.ended()
        stack.processes["web"].wait(60)
        # Which the parent process sends to those that have not ended in time.
        assert "SIGKILL" not in (stack.logs / "web.log").read_text()
        assert claims(engine, client) == 0
        # Reset, and not ended as if it were whole.
        with pytest.raises(OSError, match="reset"):
            deque(iter(lambda: reader.socket.recv(1 << 20), b""))


def test_what_is_sent_and_answered_in_time_is(settings: Settings, client: ClientSecret) -> None:
    with a_web_process(settings) as stack, Talk(stack) as upload, Talk(stack) as idle:
        assert idle.send(*GET).answer().status == 200
        body = LINE * 4000
        upload.send(*post(client, f"Content-Length: {len(body)}"), body=body[:100_000])
        half = "\r\n".join(GET).encode()
        # It has a thread, and what comes later is read by that.
        time.sleep(0.5)
        stack.processes["web"].terminate()
        idle.socket.sendall(half)
        upload.socket.sendall(body[100_000:])
        assert upload.answer().status == 202
        idle.socket.sendall(b"\r\n\r\n")
        answer = idle.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        stack.processes["web"].wait(60)
        assert "SIGKILL" not in (stack.logs / "web.log").read_text()
