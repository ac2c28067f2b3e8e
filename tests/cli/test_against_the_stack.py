"""The batch commands against a Batchline that runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli import main
from app.clients.credentials import ClientSecret
from tests.support.stack import Stack

Run = Callable[..., Result]

NONE = "018f0000-0000-7000-8000-000000000000"
GOOD = [{"asin": f"A{n}", "countryCode": "US", "percACoS": 2.7} for n in range(50)]
BAD = {"asin": "A1", "countryCode": "Nowhere", "percACoS": 2.7}


@pytest.fixture
def run(stack: Stack, client: ClientSecret, tmp_path: Path) -> Run:
    environ = {
        "BATCHLINE_URL": stack.url,
        "BATCHLINE_SECRET": client.secret,
        "BATCHLINE_HOME": str(tmp_path / "home"),
    }
    return lambda *args: CliRunner(env=environ).invoke(main, list(args))


def test_operations_are_those_that_are_offered(run: Run) -> None:
    result = run("operations", "--json")
    assert result.exit_code == 0, result.output
    names = [operation["name"] for operation in json.loads(result.stdout)]
    assert "catalog.masterlist" in names
    assert "catalog.masterlist" in run("operations").stdout


def test_a_batch_from_its_file_to_its_items(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "feed.json"
    path.write_text(json.dumps([*GOOD, BAD]))
    options = ["--operation", "catalog.masterlist", "--name", "feed", "--watch", "--json"]
    result = run("submit", str(path), *options)
    assert result.exit_code == 3, result.output
    batch = json.loads(result.stdout)
    assert (batch["status"], batch["name"]) == ("PARTIAL", "feed")
    assert (batch["summary"]["completed"], batch["summary"]["invalid"]) == (50, 1)

    assert run("watch", batch["id"]).exit_code == 3
    assert json.loads(run("status", batch["id"], "--json").stdout) == batch
    assert batch["id"] in run("status").stdout
    lines = run("items", batch["id"], "--status", "INVALID", "--json").stdout.splitlines()
    [item] = [json.loads(line) for line in lines]
    assert item["index"] == 50
    assert "countryCode" in item["message"]
    assert len(run("items", batch["id"]).stdout.splitlines()) == 51


def test_who_did_what_is_told(run: Run, client: ClientSecret, tmp_path: Path) -> None:
    path = tmp_path / "feed.json"
    path.write_text(json.dumps(GOOD))
    done = run("submit", str(path), "--operation", "catalog.masterlist", "--watch", "--json")
    batch = json.loads(done.stdout)["id"]
    [entry] = json.loads(run("audit", "--batch", batch, "--json").stdout)
    assert (entry["action"], entry["keyId"]) == ("batch.submit", str(client.key_id))
    assert (entry["address"], entry["detail"]["items"]) == ("127.0.0.1", 50)
    lines = run("audit", "--limit", "2").stdout.splitlines()[1:]
    assert [line.split()[1] for line in lines] == ["batch.submit", "client.create"]
    assert "command line" in lines[1]
    assert json.loads(run("audit", "--action", "batch.delete", "--json").stdout) == []
    refused = run("audit", "--after", "yesterday")
    assert refused.exit_code == 1
    assert "/after" in refused.stderr


def test_the_statuses_for_scripts(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "feed.json"
    for items, expected in ((GOOD, 0), ([BAD], 4)):
        path.write_text(json.dumps(items))
        result = run("submit", str(path), "--operation", "catalog.masterlist", "--watch")
        assert result.exit_code == expected, result.output


def test_ndjson_and_csv_are_taken(run: Run, tmp_path: Path) -> None:
    ndjson = tmp_path / "feed.ndjson"
    ndjson.write_text("".join(json.dumps(item) + "\n" for item in GOOD))
    csv = tmp_path / "feed.csv"
    rows = [f"{item['asin']},{item['countryCode']},{item['percACoS']}" for item in GOOD]
    csv.write_text("\n".join(["asin,countryCode,percACoS", *rows]))
    for path in (ndjson, csv):
        result = run("submit", str(path), "--operation", "catalog.masterlist", "--watch", "--json")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["summary"]["completed"] == 50


def test_refusals_are_told_with_their_field(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "feed.json"
    path.write_text(json.dumps(GOOD))
    result = run("submit", str(path), "--operation", "catalog.nonsense")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: 422 ")
    assert "/operation" in result.stderr
    missing = run("status", NONE)
    assert missing.exit_code == 1
    assert missing.stderr.startswith("Error: 404 ")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["pause", "nosuch"], "There is no batch 'nosuch'."),
        (["status", "nosuch"], "There is no batch 'nosuch'."),
        (["cancel", "a/b"], "There is no batch 'a/b'."),
        (["results", "nosuch"], "There is no batch 'nosuch'."),
        (["failures", "nosuch"], "There is no batch 'nosuch'."),
        (["edit", "nosuch", "3", "--input", "{}"], "There is no batch 'nosuch'."),
        (["webhooks", "rotate", "nosuch"], "There is no webhook 'nosuch'."),
        (["pause", NONE], f"There is no batch {NONE}."),
        (["webhooks", "resend", NONE, "nosuch"], "There is no delivery 'nosuch'."),
    ],
)
def test_what_is_not_there_is_named_in_a_line(run: Run, words: list[str], what: str) -> None:
    result = run(*words)
    assert result.exit_code == 1
    assert result.stderr == f"Error: 404 {what}\n"
