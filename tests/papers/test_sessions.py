"""What the papers have typed into a shell works, and answers what they show."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine, make_url, text

from app.clients.credentials import ClientSecret
from app.clients.quotas import default_quotas, set_quotas
from app.core.settings import Settings
from app.db import make_engine
from tests.conftest import fresh_database
from tests.papers.shell import run, typed
from tests.support.papers import ROOT, assert_shown, runnable, shown
from tests.support.receiver import Reply, receiving
from tests.support.stack import Stack

FEED = '{"asin": "B000000001", "countryCode": "US", "percACoS": 2.7}\n'
Run = Callable[..., str]


@pytest.fixture
def shell(stack: Stack, client: ClientSecret, tmp_path: Path) -> Run:
    """`shell(command, NAME="value")`: as someone who set up as the papers say, in a folder."""
    (tmp_path / "feed.ndjson").write_text(FEED)
    (tmp_path / "examples").symlink_to(ROOT / "examples")  # as in a clone
    known = {
        **stack.environ,
        "BATCHLINE_URL": stack.url,
        "BATCHLINE_SECRET": client.secret,
    }

    def shell(command: str, **environ: str) -> str:
        return run(command, tmp_path, **known, **environ)

    return shell


def test_the_session_of_the_readme(stack: Stack, client: ClientSecret, shell: Run) -> None:
    session, submit = runnable("README.md", "console")
    batch_id, shows = "", 0
    for command, says in typed(session.code):
        printed = shell(command.replace("localhost:8000", stack.url), ID=batch_id)
        answer = json.loads(printed)
        batch_id = answer.get("id", batch_id)
        if says:
            assert_shown(shown(says), answer)
            shows += 1
    assert shows == 2
    # It watches until the batch has ended, and says by its exit status how.
    submitted = shell(submit.code).strip()
    with stack.http(client) as http:
        assert http.get(f"/v1/batches/{submitted}").json()["status"] == "SUCCESS"


def test_what_the_guide_has_typed(stack: Stack, client: ClientSecret, shell: Run) -> None:
    """Each by itself, on a batch some of whose items failed."""
    blocks = [
        block
        for block in runnable("docs/integrating.md", "console")
        if "openapi-python-client" not in block.code  # `tests/generated`
    ]
    with (
        stack.http(client) as http,
        receiving(lambda _: Reply(204)) as receiver,
    ):
        items = [
            {"operation": "demo.sleep", "data": {"fail": 1}},
            {"operation": "catalog.masterlist", "data": {"asin": "A", "countryCode": "usa"}},
        ]
        made = http.post("/v1/batches", json={"items": items}).raise_for_status().json()
        for block in blocks:
            stack.finished(http, made["id"])  # also where a block before has begun it anew
            code = block.code.replace("keys create NAME", f"keys create {client.client_id}")
            code = code.replace("https://example.com/hooks/batchline", receiver.url)
            printed = shell(code, ID=made["id"])
            if "keys create" in code:
                assert "bls_" in printed
            elif code.startswith("curl -sS") and "> " not in code and "-o " not in code:
                assert json.loads(printed.split("\r\n")[-1])


def test_the_answers_that_the_guide_shows(
    stack: Stack, client: ClientSecret, engine: Engine, settings: Settings
) -> None:
    quota, told = (shown(block.code) for block in runnable("docs/integrating.md", "json"))
    set_quotas(engine, client.client_id, {"pendingItems": 1000}, default_quotas(settings))
    with stack.http(client) as http, receiving(lambda _: Reply(204)) as receiver:
        http.post("/v1/webhooks", json={"url": receiver.url}).raise_for_status()
        items: list[dict[str, int]] = [{}] * 1200
        refused = http.post("/v1/batches", json={"operation": "demo.sleep", "items": items})
        assert_shown(quota, refused.json())
        items = [{}, {"fail": 1}]
        http.post("/v1/batches", json={"operation": "demo.sleep", "items": items})
        receiver.wait_for(1)
        message = json.loads(receiver.received[0].body)
    told["timestamp"] = told["data"]["id"] = "…"
    assert_shown(told, message)
    assert len(message["timestamp"]) == len("2026-11-21T09:41:00.123Z")


def test_clients_are_made_as_the_dialects_say(shell: Run) -> None:
    [block] = runnable("docs/dialects.md", "console")
    printed = shell(block.code.replace("create demo", "create 'demo of the papers'"))
    assert "blk_" in printed
    assert "bls_" in printed


def test_the_role_of_the_processes(postgres_url: str, tmp_path: Path) -> None:
    """In a database of its own. A role is the whole server's, so it has another name here."""
    [block] = [one for one in runnable("docs/deploying.md", "console") if "--role" in one.code]
    role = f"papers_{uuid4().hex[:8]}"
    with fresh_database(postgres_url) as url:
        code = block.code.replace("…", "no-secret").replace("batchline_processes", role)
        run(code, tmp_path, DATABASE_URL=url, BATCHLINE_HOME=str(tmp_path))
        as_role = make_url(url).set(username=role, password="no-secret")
        theirs = make_engine(as_role.render_as_string(hide_password=False), name="papers")
        with theirs.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM items")).scalar_one() == 0
        theirs.dispose()
        owners = make_engine(url, name="papers")
        with owners.begin() as connection:
            connection.execute(text(f"DROP OWNED BY {role}"))
            connection.execute(text(f"DROP ROLE {role}"))
        owners.dispose()
