"""operations, submit, status, items and watch: what they send, print and exit with."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import click
import pytest
from click.testing import CliRunner, Result

from app.cli import main
from tests.cli.fake import SECRET, FakeBatchline, serving


class Run(Protocol):
    """Runs a command; keywords are variables of its environment."""

    def __call__(self, *args: str, stdin: bytes | None = None, **environ: str) -> Result: ...


@pytest.fixture
def fake() -> Iterator[FakeBatchline]:
    with serving(FakeBatchline()) as running:
        yield running


@pytest.fixture
def run(fake: FakeBatchline, tmp_path: Path) -> Run:
    """Run a command against the fake; BATCHLINE_HOME is an empty folder."""

    def run(*args: str, stdin: bytes | None = None, **environ: str) -> Result:
        env = {
            "BATCHLINE_URL": fake.url,
            "BATCHLINE_SECRET": SECRET,
            "BATCHLINE_HOME": str(tmp_path / "home"),
            **environ,
        }
        return CliRunner(env=env).invoke(main, list(args), input=stdin)

    return run


def test_operations(run: Run) -> None:
    result = run("operations")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].split() == ["demo.sleep", "a:b", "Waits."]
    assert json.loads(run("operations", "--json").stdout)[0]["name"] == "demo.sleep"


def test_an_operation_is_opened_and_closed(run: Run, fake: FakeBatchline) -> None:
    opened = run("operations", "open", "demo.sleep", "--base", "main")
    assert (opened.exit_code, opened.stdout) == (0, "demo.sleep: open (main)\n"), opened.output
    closed = run("operations", "--json", "close", "demo.sleep")
    assert json.loads(closed.stdout)["breaker"] == "closed"
    asked = [(method, path, json.loads(body)) for method, path, _, body in fake.requests]
    path = "/v1/operations/demo.sleep/breaker"
    assert asked == [
        ("POST", path, {"state": "open", "base": "main"}),
        ("POST", path, {"state": "closed", "base": None}),
    ]


def test_submit_prints_the_id(run: Run, fake: FakeBatchline, tmp_path: Path) -> None:
    path = tmp_path / "items.json"
    path.write_text('[{"seconds": 1}, {"seconds": 2}]')
    result = run("submit", str(path), "--operation", "demo.sleep", "--name", "mine", "--dry-run")
    assert result.exit_code == 0, result.output
    assert result.stdout == "b-1\n"
    [(method, where, query, body)] = fake.requests
    assert (method, where, query) == ("POST", "/v1/batches", {})
    assert json.loads(body) == {
        "items": [{"seconds": 1}, {"seconds": 2}],
        "operation": "demo.sleep",
        "name": "mine",
        "dryRun": True,
    }


def test_submit_a_dry_run_that_calls_handlers(
    run: Run, fake: FakeBatchline, tmp_path: Path
) -> None:
    path = tmp_path / "items.json"
    path.write_text("[1]")
    assert run("submit", "--dry-run-effects", str(path)).exit_code == 0
    assert json.loads(fake.requests[0][3]) == {"items": [1], "dryRun": "effects"}


def test_a_whole_request_is_sent_as_it_is_but_for_what_is_said(
    run: Run, fake: FakeBatchline, tmp_path: Path
) -> None:
    path = tmp_path / "request.json"
    path.write_text('{"operation": "a.b", "items": [1], "metadata": {"x": 1}}')
    options = ["--metadata", '{"y": 2}', "--idempotency-key", "k", "--max-failures", "3"]
    options += ["--max-failure-percent", "2.5", "--min-processed", "50", "--approval"]
    options += ["--ramp", '{"steps": [10, 100]}']
    assert run("submit", str(path), *options).exit_code == 0
    sent = json.loads(fake.requests[0][3])
    assert sent == {
        "operation": "a.b",
        "items": [1],
        "metadata": {"y": 2},
        "maxFailures": 3,
        "maxFailurePercent": 2.5,
        "minProcessed": 50,
        "approval": True,
        "ramp": {"steps": [10, 100]},
    }
    assert fake.headers[0]["idempotency-key"] == "k"


@pytest.mark.parametrize("gzipped", [False, True])
def test_ndjson_is_streamed_with_its_envelope_in_the_query(
    run: Run, fake: FakeBatchline, tmp_path: Path, gzipped: bool
) -> None:
    text = b"".join(b'{"seconds": %d}\n' % n for n in range(100_000))
    path = tmp_path / ("items.ndjson.gz" if gzipped else "items.jsonl")
    path.write_bytes(gzip.compress(text) if gzipped else text)
    result = run("submit", str(path), "--operation", "demo.sleep", "--on-invalid", "reject")
    assert result.exit_code == 0, result.output
    [(_, _, query, body)] = fake.requests
    assert query == {"operation": "demo.sleep", "onInvalid": "reject"}
    assert body == text
    assert fake.headers[0]["content-type"] == "application/x-ndjson"
    assert fake.headers[0]["content-length"] == str(path.stat().st_size)


def test_standard_input_is_sent_as_it_comes(fake: FakeBatchline, tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    command = [sys.executable, "-c", "from app.cli import main; main()"]
    command += ["submit", "-", "--format", "csv", "--operation", "demo.sleep"]
    root = Path(__file__).parents[2]
    environ = {**os.environ, "BATCHLINE_URL": fake.url, "BATCHLINE_SECRET": SECRET}
    done = subprocess.run(
        command, input=b"seconds\n1\n", capture_output=True, cwd=root, env=environ, check=False
    )
    assert done.stdout == b"b-1\n", done.stderr
    assert fake.requests[0][3] == b"seconds\n1\n"
    assert fake.headers[0]["transfer-encoding"] == "chunked"


@pytest.mark.parametrize(
    ("ends", "status"), [("SUCCESS", 0), ("PARTIAL", 3), ("FAILED", 4), ("CANCELED", 4)]
)
def test_watching_ends_with_a_status_for_scripts(
    run: Run, fake: FakeBatchline, tmp_path: Path, ends: str, status: int
) -> None:
    fake.ends = ends
    path = tmp_path / "items.json"
    path.write_text("[1, 2]")
    result = run("submit", str(path), "--operation", "x", "--watch")
    assert result.exit_code == status, result.output
    assert result.stdout == "b-1\n"
    assert ends in result.stderr
    assert "a [red]name[/red]" in result.stderr
    result = run("watch", "b-7", "b-8", "--json")
    assert result.exit_code == status
    assert [batch["id"] for batch in json.loads(result.stdout)] == ["b-7", "b-8"]
    assert run("watch", "b-7").exit_code == status


def test_without_watching_how_it_ends_does_not_matter(
    run: Run, fake: FakeBatchline, tmp_path: Path
) -> None:
    fake.ends, fake.looks = "FAILED", 0
    path = tmp_path / "items.json"
    path.write_text("[1, 2]")
    assert run("submit", str(path), "--operation", "x").exit_code == 0


def test_status(run: Run) -> None:
    result = run("status", "b-3")
    assert result.exit_code == 0
    assert result.stdout.startswith("b-3 ")
    assert "2 pending of 2" in result.stdout
    assert json.loads(run("status", "b-3", "--json").stdout)["id"] == "b-3"
    assert [line.split()[0] for line in run("status").stdout.splitlines()] == ["b-1", "b-2"]
    assert len(json.loads(run("status", "--json", "--limit", "2").stdout)) == 2


def test_items_come_page_by_page(run: Run, fake: FakeBatchline) -> None:
    lines = run("items", "b-1").stdout.splitlines()
    assert len(lines) == 2500
    assert lines[1].split() == ["1", "FAILED", "k1", "no", "luck"]
    assert '{"slept": 1}' in lines[0]
    failed = run("items", "b-1", "--status", "failed", "--limit", "1100", "--json")
    rows = [json.loads(line) for line in failed.stdout.splitlines()]
    assert len(rows) == 1100
    assert {row["status"] for row in rows} == {"FAILED"}


@pytest.mark.parametrize(
    ("content", "says"),
    [("{", "not JSON"), ("3", "neither an array"), ('{"operation": "x"}', "neither an array")],
)
def test_a_bad_file_is_named(run: Run, tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content)
    result = run("submit", str(path))
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: bad.json: ")
    assert says in result.stderr


def test_errors_are_one_clean_line(run: Run, fake: FakeBatchline, tmp_path: Path) -> None:
    missing = run("submit", str(tmp_path / "none.json"))
    assert (missing.exit_code, missing.stderr.count("\n")) == (1, 1)
    assert "there is no such file" in missing.stderr
    unknown = run("submit", str(tmp_path / "items.txt"))
    assert "say --format" in unknown.stderr
    assert run("status", "nope").stderr == ("Error: 404 There is no such batch.\n  /id: unknown\n")
    assert run("status", BATCHLINE_SECRET="wrong").stderr == "Error: 401 Who?\n"
    unreachable = run("status", BATCHLINE_URL="http://127.0.0.1:1")
    assert unreachable.exit_code == 1
    assert "Is Batchline running?" in unreachable.stderr
    malformed = run("status", BATCHLINE_URL="http://[::1")
    assert malformed.exit_code == 1
    assert "is not a usable address" in malformed.stderr
    proxied = run("status", HTTP_PROXY="http://127.0.0.1:1", http_proxy="http://127.0.0.1:1")
    assert proxied.exit_code == 0
    assert run("status", PORT="x").stderr.startswith("Error: PORT: ")
    assert run("submit", "x.json", "--metadata", "[]").exit_code == 2
    assert run("nonsense").exit_code == 2


def test_what_runs_from_batchline_home_is_found_there(fake: FakeBatchline, tmp_path: Path) -> None:
    from app.core.envfile import write_env

    write_env(tmp_path, {"BATCHLINE_URL": fake.url, "BATCHLINE_SECRET": SECRET})
    runner = CliRunner(env={"BATCHLINE_HOME": str(tmp_path)})
    assert runner.invoke(main, ["operations"]).exit_code == 0
    nowhere = CliRunner(env={"BATCHLINE_HOME": str(tmp_path / "none")})
    result = nowhere.invoke(main, ["operations"])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: BATCHLINE_SECRET: ")


@pytest.mark.parametrize(
    "command",
    [
        (),
        ("serve",),
        ("migrate",),
        ("clients",),
        ("clients", "create"),
        ("clients", "list"),
        ("clients", "rotate"),
        ("clients", "revoke"),
        ("keys",),
        ("keys", "create"),
        ("keys", "list"),
        ("keys", "revoke"),
        ("operations",),
        ("operations", "open"),
        ("operations", "close"),
        ("submit",),
        ("status",),
        ("items",),
        ("watch",),
    ],
)
def test_every_level_has_help(command: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_help_says_what_the_commands_say() -> None:
    from app.cli import COMMANDS

    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        assert command.name == name
