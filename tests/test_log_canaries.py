"""No log of any process bears a secret or what items hold, and each line is an object.

A real stack is given canaries, and errors of many kinds are provoked with them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from sqlalchemy import Engine, text

from app.clients.credentials import create_client
from app.core.settings import Settings
from app.db import transaction
from tests.support.log_lines import entry_of, passwords
from tests.support.receiver import Reply, receiving
from tests.support.stack import Stack, running_stack, wait_for

ROOT = Path(__file__).parents[1]
ITEM = "canary-item-5f1d0a"
BEARER = "bls_canary-of-a-secret-77aa"
TOKEN = "canary-metrics-token-31"
FLOWER = "canary-flower-password-9"
PROCESSES = ("web", "worker", "slow", "beat", "flower")
HANDLERS = "tests.support.handlers,tests.support.canaries"


@pytest.mark.whole
@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.usefixtures("own_processes")
def test_no_line_bears_a_canary_and_each_is_an_object(
    own_settings: Settings, own_engine: Engine
) -> None:
    extra = {
        "LOG_FORMAT": "json",
        "METRICS_TOKEN": TOKEN,
        "FLOWER_BASIC_AUTH": f"operator:{FLOWER}",
        "FLOWER_PORT": "0",
    }
    with running_stack(own_settings, handlers=HANDLERS, extra=extra, processes=PROCESSES) as stack:
        signing = provoke(stack, own_engine)
        broken = [*start_in_vain(stack)]
        # The end of each is a part of its log.
        for process in stack.processes.values():
            process.terminate()
        for process in stack.processes.values():
            process.stop()
    logs = {path.stem: path.read_text() for path in stack.logs.glob("*.log")}
    logs |= {f"broken-{number}": said for number, said in enumerate(broken)}
    told = "".join(logs.values())
    for event in ("handler.failed", "webhook.tried", "request.answered", "batch.settled"):
        assert f'"event": "{event}"' in told, f"{event} was not provoked"
    assert "a handler warns" in told
    assert "exited with" in told, "a child's crash was not provoked"
    assert all(broken), broken
    canaries = [ITEM, BEARER, TOKEN, FLOWER, *signing, *passwords(own_settings)]
    wrong = []
    for name, log in logs.items():
        for line in log.splitlines():
            if not entry_of(line):
                wrong.append(f"{name} wrote {line!r}")
            wrong += [f"{name} tells {one}: {line}" for one in canaries if one in line]
    assert not wrong, "\n".join(wrong[:20])


def provoke(stack: Stack, engine: Engine) -> list[str]:
    """Errors of many kinds; the secrets that were made for it."""
    client = create_client(engine, "watched")
    with (
        stack.http(client) as http,
        receiving(lambda _: Reply(500, ITEM.encode())) as receiver,
    ):
        hook = http.post("/v1/webhooks", json={"url": receiver.url}).raise_for_status().json()
        http.post("/v1/webhooks", json={"url": f"https://user:{BEARER}@example.com/"})
        doing = ("raise", "chain", "syntax", "duplicate", "print")
        items = [{"do": do, "canary": f"{ITEM} {do}"} for do in doing] + [{"do": 1, "other": ITEM}]
        ended = submit(stack, http, "canary.fail", items)
        assert ended["summary"]["failed"] == 4, ended
        found = http.get(f"/v1/batches/{ended['id']}/items").json()["data"]
        assert ITEM in found[0]["message"], "its words stand with the item"
        submit(stack, http, "test.bulk", [{"do": "bad-result", "key": ITEM}, {"do": "sql"}])
        for deadly in ("segfault", "memory"):
            submit(stack, http, "test.poison", [{"do": deadly, "key": ITEM}])
        refused(http)
        receiver.wait_for(2)
        with transaction(engine) as connection:
            # Sessions that end under those who use them.
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        wait_for(lambda: http.get("/readyz").status_code == 200)
        submit(stack, http, "test.bulk", [{"do": "succeed", "key": ITEM}])
        wait_for(lambda: "webhook.tried" in (stack.logs / "slow.log").read_text())
    kill_a_child(stack)
    return [client.secret, hook["secret"]]


def refused(http: httpx.Client) -> None:
    """Requests that are refused, each with a canary somewhere."""
    bearer = {"Authorization": f"Bearer {BEARER}"}
    keys = {"x-api-key": BEARER, "SecretKey": BEARER, "Subscription-Key": BEARER}
    http.get("/v1/batches", headers=bearer | {"X-Request-Id": BEARER})
    http.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}x"})
    http.post("/batch/price/update", json=[{"x": ITEM}], headers=bearer | keys)
    http.post("/v1/batches", content=f'{{"items": [{{"a": "{ITEM}"', headers=JSON)
    http.post("/v1/batches", json={ITEM: 1, "operation": ITEM})
    for kind in ("text/csv", "application/x-ndjson"):
        http.post(
            "/v1/batches?operation=canary.fail",
            content=f'do,canary\n"{ITEM}\n{{{ITEM}'.encode(),
            headers={"Content-Type": kind},
        )
    http.get(f"/v1/records/masterlist/{ITEM}")
    http.delete(f"/v1/records/masterlist/{ITEM}")
    http.get(f"/v1/record/masterlist/{ITEM}")
    http.get(f"/v1/batches?cursor={ITEM}&status={ITEM}")
    http.post("/integrations/batch", json={"operations": [{"x": ITEM}]}, headers=keys)


JSON = {"Content-Type": "application/json"}


def submit(stack: Stack, http: httpx.Client, operation: str, items: list[Any]) -> dict[str, Any]:
    answer = http.post("/v1/batches", json={"operation": operation, "items": items})
    return stack.finished(http, answer.raise_for_status().json()["id"])


def kill_a_child(stack: Stack) -> None:
    """As the kernel does where memory is short."""
    worker = psutil.Process(stack.processes["worker"].process.pid)
    children = [one for one in worker.children(recursive=True) if not one.children()]
    children[-1].send_signal(signal.SIGKILL)
    wait_for(lambda: "exited with" in (stack.logs / "worker.log").read_text(), within=20)


def start_in_vain(stack: Stack) -> Iterator[str]:
    """What processes say that cannot start."""
    lines = {
        "worker": "celery --quiet -A workers.celery worker --queues control --concurrency 1",
        "web": "gunicorn --config python:app.server.gunicorn 'app.server.wsgi:create_app()'",
        "release": "batchline migrate",
        "serve": "batchline serve",
    }
    wrong = [
        ("worker", {"HANDLERS": "no.such.module"}),
        ("worker", {"REDIS_URL": f"http://:{BEARER}@127.0.0.1/0"}),
        ("web", {"PORT": "many"}),
        ("web", {"HANDLERS": "no.such.module"}),
        ("release", {"DATABASE_URL": f"postgresql://u:{BEARER}@127.0.0.1:1/none"}),
        ("serve", {"DATABASE_URL": f"postgresql://u:{BEARER}@127.0.0.1:1/none"}),
        ("serve", {"PORT": "many"}),
    ]
    for line, environ in wrong:
        done = subprocess.run(
            ["/bin/sh", "-c", f"exec {lines[line]}"],
            env={**stack.environ, "PORT": "0", **environ},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode != 0, (line, environ)
        yield done.stdout + done.stderr


PROGRAM = """
import sys, threading, warnings
from app.core.logs import set_up_logs
from app.core.settings import load_settings
set_up_logs(load_settings())
print("printed\\nin two lines", end="")
print(" and a half")
print("no end", end="")
warnings.warn("careful\\nwith this")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start(); thread.join()
raise LookupError("Bearer abcdefghijkl and postgresql://u:hunter22@h/d and hunter2-is-known")
"""


def test_what_an_interpreter_says_is_an_object_too() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={
            **os.environ,
            "LOG_FORMAT": "json",
            "PYTHONPATH": str(ROOT),
            "METRICS_TOKEN": "hunter2-is-known",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert all(map(entry_of, done.stdout.splitlines() + done.stderr.splitlines())), done
    printed = [json.loads(line)["event"] for line in done.stdout.splitlines()]
    assert printed == ["printed", "in two lines and a half", "no end"]
    warned, thread, crashed = map(json.loads, done.stderr.splitlines())
    assert "careful\nwith this" in warned["event"]
    assert (thread["event"], crashed["event"]) == ("thread.crashed", "process.crashed")
    assert "ZeroDivisionError" in thread["exception"]
    assert "LookupError" in crashed["exception"]
    for secret in ("abcdefghijkl", "hunter22", "hunter2-is-known"):
        assert secret not in done.stderr


@pytest.mark.whole
@pytest.mark.usefixtures("own_processes")
def test_serve_adds_no_prefix_makes_no_demo_client_and_tells_no_secret(tmp_path: Path) -> None:
    home = tmp_path / "home"
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("batchline")), "serve"],
        env={
            **os.environ,
            "LOG_FORMAT": "json",
            "BATCHLINE_HOME": str(home),
            "PORT": "0",
            "FLOWER_PORT": "0",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    lines = []
    deadline = time.monotonic() + 90
    try:
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if '"Batchline is ready."' in line or time.monotonic() > deadline:
                break
        process.send_signal(signal.SIGTERM)
        lines += process.communicate(timeout=60)[0].splitlines()
    finally:
        process.kill()
        process.stdout.close()
    assert any("everything is stopped" in line for line in lines)
    assert [line for line in lines if entry_of(line) is None] == []
    assert not (home / "demo-client.json").exists()
    assert "BATCHLINE_SECRET" not in (home / "env").read_text()
    assert not [line for line in lines if "bls_" in line or "Bearer" in line]
    password = urlsplit(
        next(
            line.partition("=")[2]
            for line in (home / "env").read_text().splitlines()
            if line.startswith("DATABASE_URL=")
        )
    ).password
    assert password
    assert not [line for line in lines if password in line]
