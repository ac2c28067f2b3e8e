"""What is logged, as it is rendered: by a process of its own, and by the whole stack."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from app.clients.credentials import ClientSecret
from app.core import log_scrubbing
from app.core.settings import Settings
from tests.support.log_lines import passwords
from tests.support.stack import Stack, running_stack, wait_for

ROOT = Path(__file__).parents[1]
# Logs as we do and as libraries do, with a traceback each.
PROGRAM = """
import logging, structlog
from app.core.logs import set_up_logs
from app.core.settings import load_settings
set_up_logs(load_settings())
ours, theirs = structlog.get_logger("ours"), logging.getLogger("theirs")
ours.info("batch.settled", batch="b-1", total=3)
ours.debug("not.shown")
theirs.warning("%s of %s\\nare there", 1, 2)
for log in (ours, theirs):
    try:
        raise ValueError("broken on purpose")
    except ValueError:
        log.exception("went.wrong")
"""


def rendered(log_format: str, program: str = PROGRAM) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "LOG_FORMAT": log_format, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize("log_format", ["json", "auto"])
def test_each_line_is_an_object_where_nobody_sits_at_a_terminal(log_format: str) -> None:
    settled, there, *failed = map(json.loads, rendered(log_format).splitlines())
    check(settled)
    assert (settled["logger"], settled["level"]) == ("ours", "info")
    assert (settled["event"], settled["batch"], settled["total"]) == ("batch.settled", "b-1", 3)
    assert (there["logger"], there["level"]) == ("theirs", "warning")
    assert there["event"] == "1 of 2\nare there"
    assert [entry["logger"] for entry in failed] == ["ours", "theirs"]
    for entry in failed:
        check(entry)
        assert (entry["event"], entry["level"]) == ("went.wrong", "error")
        assert entry["exception"].startswith("Traceback")
        assert entry["exception"].endswith("ValueError: broken on purpose")
        # The traceback is under `exception`, and nowhere else.
        assert "exc_info" not in entry
        assert json.dumps(entry).count("broken on purpose") == 1


@pytest.mark.parametrize(("name", "value"), [("TERM", "dumb"), ("NO_COLOR", "1")])
def test_no_colours_where_they_are_not_wanted(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert "\x1b" not in rendered("console")


def test_in_a_terminal_a_traceback_is_shown_once() -> None:
    shown = re.sub(r"\x1b\[[0-9;]*m", "", rendered("console"))
    first = shown.splitlines()[0]
    assert "batch.settled" in first
    assert "total=3" in first
    assert shown.count("went.wrong") == 2
    assert shown.count("Traceback (most recent call last)") == 2
    assert shown.count("ValueError: broken on purpose") == 2
    with pytest.raises(ValueError):
        json.loads(first)


FORGING = """
import logging, structlog
from app.core.logs import set_up_logs
from app.core.settings import load_settings
set_up_logs(load_settings())
said = "x\\n2026-01-01 00:00:00 [info] forged\\x1b[2J\\x9b8m\\r\\u202e"
structlog.get_logger("ours").info("request.answered", path=said)
logging.getLogger("theirs").warning("not taken: %s", said)
try:
    raise ValueError(said)
except ValueError:
    logging.getLogger("theirs").exception("went.wrong")
"""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_what_is_logged_of_others_is_no_line_and_does_nothing(log_format: str) -> None:
    shown = re.sub(r"\x1b\[[0-9;]*m", "", rendered(log_format, FORGING))
    assert shown.count("forged") == 3
    for line in shown.splitlines():
        assert not line.startswith("2026-01-01")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", shown), repr(shown)


def check(entry: dict[str, Any]) -> None:
    """The fields that every line has."""
    assert isinstance(entry["event"], str)
    assert isinstance(entry["logger"], str)
    assert entry["level"] in ("debug", "info", "warning", "error", "critical")
    assert datetime.fromisoformat(entry["timestamp"]).utcoffset() is not None


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter%2B22@one:1,two:2/db",
        "postgresql:///db?host=one&password=hunter%2B22",
        "postgresql://me@one/db?sslmode=require&sslpassword=hunter%2B22",
    ],
)
def test_a_password_is_kept_out_wherever_its_url_has_it(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr(log_scrubbing, "_values", ())
    log_scrubbing.keep_out([url])
    assert log_scrubbing.scrub("so hunter+22, or hunter%2B22") == "so ***, or ***"


@pytest.mark.whole
@pytest.mark.usefixtures("own_processes")
def test_every_line_of_every_process_is_an_object_and_none_tells_a_secret(
    own_settings: Settings, own_client: ClientSecret
) -> None:
    client = own_client
    # Celery tells root so before there are logs; who deploys it does not run it as root.
    extra = {"LOG_FORMAT": "json", "PYTHONWARNINGS": "ignore:You're running the worker"}
    with (
        running_stack(own_settings, handlers="tests.support.handlers", extra=extra) as stack,
        stack.http(client) as http,
    ):
        items = [{"do": do} for do in ("succeed", "reject", "raise")]
        batch = http.post("/v1/batches", json={"operation": "test.bulk", "items": items})
        stack.finished(http, batch.raise_for_status().json()["id"])
        assert http.get("/v1/batches/none").status_code == 404
        spoofed = {"X-Forwarded-For": "203.0.113.9", "Authorization": "Bearer bls_wrong"}
        refused = http.get("/v1/limits", headers=spoofed)
        assert refused.status_code == 401
        webhook = http.post("/v1/webhooks", json={"url": "http://127.0.0.1:1/nobody"})
        signing = webhook.raise_for_status().json()["secret"]
        again = http.post("/v1/batches", json={"operation": "test.bulk", "items": items})
        stack.finished(http, again.raise_for_status().json()["id"])
        wait_for(lambda: "webhook.tried" in log_of(stack, "slow"), what=stack.tail)
        assert http.delete(f"/v1/webhooks/{webhook.json()['id']}").is_success
        # Before the end: then Celery says in plain text that it was sent a signal.
        written = {name: log_of(stack, name) for name in ("web", "worker", "slow", "beat")}
    told = "".join(written.values())
    assert {"batch.settled", "request.answered", "webhook.tried"} <= set(
        re.findall(r'"event": "([^"]*)"', told)
    )
    answered = [json.loads(line) for line in written["web"].splitlines() if "answered" in line]
    assert all({"address", "requestId"} <= line.keys() for line in answered)
    [line] = [one for one in answered if one["requestId"] == refused.headers["X-Request-Id"]]
    assert (line["status"], line["address"]) == (401, "127.0.0.1"), "whatever a caller sends"
    assert not {"clientId", "keyId"} & line.keys()
    [line] = [one for one in answered if one["requestId"] == batch.headers["X-Request-Id"]]
    assert (line["clientId"], line["keyId"]) == (str(client.client_id), str(client.key_id))
    secrets = ["bls_wrong", client.secret, signing, *passwords(own_settings)]
    for name, log in written.items():
        for line in log.splitlines():
            try:
                check(json.loads(line))
            except ValueError as error:
                raise AssertionError(f"{name} wrote {line!r}") from error
            assert not [secret for secret in secrets if secret in line], (name, line)


def log_of(stack: Stack, name: str) -> str:
    return (stack.logs / f"{name}.log").read_text()
