"""events, watch, results, retry, cancel and webhooks, against the real thing."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from app.cli import main
from app.clients.credentials import ClientSecret
from batchline.client import download, events
from batchline.client.api import Api
from batchline.client.errors import ApiError
from tests.support.breaking import BreakingProxy, breaking
from tests.support.receiver import Receiver, receiving
from tests.support.stack import Stack

Run = Callable[..., Result]


@pytest.fixture
def run(stack: Stack, client: ClientSecret, tmp_path: Path) -> Run:
    """Run a command as `client`; fails the test unless it exits as said."""

    def run(*args: str, exits: int = 0) -> Result:
        env = {
            "BATCHLINE_URL": stack.url,
            "BATCHLINE_SECRET": client.secret,
            "BATCHLINE_HOME": str(tmp_path / "home"),
        }
        result = CliRunner(env=env).invoke(main, list(args))
        assert result.exit_code == exits, result.output
        return result

    return run


def submit(
    run: Run, items: list[Any], *options: str, operation: str = "test.bulk", exits: int = 0
) -> str:
    with NamedTemporaryFile("w", suffix=".ndjson") as file:
        file.write("\n".join(json.dumps(item) for item in items))
        file.flush()
        result = run("submit", file.name, "--operation", operation, *options, exits=exits)
    return result.stdout.split()[0]


def test_events_are_printed_until_the_end(run: Run) -> None:
    batch_id = submit(run, [{"do": "succeed"}] * 5)
    result = run("events", batch_id, "--json")
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["event"] for event in told][-1] == "finished"
    assert {event["event"] for event in told[:-1]} == {"progress"}
    assert told[-1]["data"]["id"] == batch_id
    lines = run("events", batch_id).stdout.splitlines()
    assert lines[-1].startswith("SUCCESS")
    assert "5 of 5  completed 5" in lines[-2]


def test_the_exit_status_is_the_batchs(run: Run) -> None:
    partial = submit(run, [{"do": "succeed"}, {"do": "reject"}], "--watch", exits=3)
    run("events", partial, exits=3)
    run("watch", partial, exits=3)
    failed = submit(run, [{"do": "reject"}])
    run("watch", failed, exits=4)


def test_results_in_every_format(run: Run, tmp_path: Path) -> None:
    items = [{"do": "succeed", "key": f"k{n}"} for n in range(30)] + [{"do": "reject", "key": "x"}]
    batch_id = submit(run, items, "--watch", exits=3)
    lines = [json.loads(line) for line in run("results", batch_id).stdout.splitlines()]
    assert [line["index"] for line in lines] == list(range(31))
    assert [line["input"] for line in lines] == items
    rest = run("results", batch_id, "--after", "28").stdout.splitlines()
    assert len(rest) == 2
    path = tmp_path / "out.csv"
    run("results", batch_id, "--format", "csv", "--status", "failed", "-o", str(path))
    [row] = csv.DictReader(io.StringIO(path.read_text()))
    assert (row["index"], row["key"], row["status"]) == ("30", "x", "FAILED")
    again = run("results", batch_id, "--format", "resubmit", "--status", "FAILED").stdout
    [line] = again.splitlines()
    assert json.loads(line) == {"operation": "test.bulk", "data": items[-1]}


def test_pause_and_resume(run: Run) -> None:
    batch_id = submit(run, [{"seconds": 0.5}] * 100, operation="demo.sleep")
    assert json.loads(run("pause", batch_id, "--json").stdout)["status"] == "PAUSED"
    assert "is PAUSED" in run("pause", batch_id, exits=1).output
    assert json.loads(run("resume", batch_id, "--json").stdout)["status"] in ("PENDING", "RUNNING")
    run("cancel", batch_id)
    run("watch", batch_id, exits=4)


def test_retry_and_cancel(run: Run) -> None:
    batch_id = submit(run, [{"do": "succeed"}, {"do": "reject"}], "--watch", exits=3)
    result = run("retry", batch_id, "--watch", "--json", exits=3)
    batch = json.loads(result.stdout)
    assert (batch["status"], batch["summary"]["failed"]) == ("PARTIAL", 1)
    assert "nothing to retry" in run("retry", batch_id, "--status", "canceled", exits=1).output
    waiting = [submit(run, [{"do": "succeed"}], "--start", "manual") for _ in range(2)]
    canceled = json.loads(run("cancel", *waiting, "--json").stdout)
    assert [batch["status"] for batch in canceled] == ["CANCELED", "CANCELED"]


def test_failures_are_listed_and_retried(run: Run) -> None:
    items = [{"do": "succeed"}, {"do": "reject"}, {"do": "reject"}, {"seconds": "x"}]
    batch_id = submit(run, items, "--watch", exits=3)
    found = [json.loads(line) for line in run("failures", batch_id, "--json").stdout.splitlines()]
    assert [(row["status"], row["count"]) for row in found] == [("FAILED", 2), ("INVALID", 1)]
    lines = run("failures", batch_id).stdout.splitlines()
    assert lines[0].split()[:2] == ["FAILURE", "COUNT"]
    assert lines[1].split()[:3] == [found[0]["failure"], "2", "FAILED"]
    assert len(run("items", batch_id, "--failure", found[0]["failure"]).stdout.splitlines()) == 2
    result = run("retry", batch_id, "--failure", found[1]["failure"], "--watch", exits=3)
    assert "1 items run again." in result.output
    run("retry", batch_id, "--failure", found[0]["failure"], "--status", "invalid", exits=1)


def test_an_item_is_edited_and_runs_again(run: Run, tmp_path: Path) -> None:
    batch_id = submit(run, [{"do": "succeed"}, {"do": "reject"}], "--watch", exits=3)
    said = '{"do": "reject",  "key": "k"}'
    item = json.loads(run("edit", batch_id, "1", "--input", said, "--json").stdout)
    assert (item["input"], item["key"], item["status"]) == (json.loads(said), "k", "FAILED")
    (tmp_path / "item.json").write_text('{"do": "succeed"}\n')
    result = run("edit", batch_id, "1", "--input", f"@{tmp_path / 'item.json'}")
    assert "FAILED" in result.output
    run("retry", batch_id, "--watch", exits=0)
    assert "SUCCESS" in run("edit", batch_id, "1", "--input", said, exits=1).output
    for wrong in ("{", "[]", "@nowhere.json"):
        assert "--input" in run("edit", batch_id, "1", "--input", wrong, exits=2).output


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_webhooks(run: Run, receiver: Receiver) -> None:
    webhook = json.loads(run("webhooks", "add", receiver.url, "--json").stdout)
    assert webhook["secret"].startswith("whsec_")
    submit(run, [{"do": "succeed"}])
    [received] = receiver.wait_for(1)
    received.verified(webhook["secret"])
    listed = run("webhooks", "list").stdout
    assert webhook["id"] in listed
    assert webhook["secret"] not in listed
    [delivery] = json.loads(run("webhooks", "deliveries", webhook["id"], "--json").stdout)
    assert delivery["event"] == "batch.finished"
    run("webhooks", "resend", webhook["id"], delivery["id"])
    receiver.wait_for(2)
    assert delivery["id"] in run("webhooks", "deliveries", webhook["id"]).stdout
    rotated = run("webhooks", "rotate", webhook["id"]).stdout
    assert "whsec_" in rotated
    assert webhook["secret"] not in rotated
    run("webhooks", "remove", webhook["id"])
    assert json.loads(run("webhooks", "list", "--json").stdout) == []
    assert "404" in run("webhooks", "remove", webhook["id"], exits=1).output


@pytest.fixture
def proxy(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[BreakingProxy]:
    """The stack behind a wire that breaks, and a client that does not pause long."""
    monkeypatch.setattr(download, "_PAUSE", 0.01)
    monkeypatch.setattr(events, "_PAUSE", 0.01)
    with breaking(stack.url) as proxy:
        yield proxy


# However well it is compressed, its results do not go into one packet.
LONG = [{"do": "succeed", "key": uuid4().hex} for _ in range(2000)]


def asked(proxy: BreakingProxy) -> list[str | None]:
    """Behind which line each request asked to go on."""
    found = [re.search(rb"[?&]after=(\d+)", request) for request in proxy.requests]
    return [match[1].decode() if match else None for match in found]


def test_a_download_that_breaks_goes_on(
    run: Run, client: ClientSecret, proxy: BreakingProxy
) -> None:
    """The connection breaks in the middle of a line; every line comes once all the same."""
    batch_id = submit(run, LONG, "--watch")
    proxy.after = [20_000, 30_000]
    with Api(proxy.url, client.secret) as api:
        text = b"".join(download.download(api, batch_id, {"format": "ndjson"}))
    assert [json.loads(line)["index"] for line in text.splitlines()] == list(range(len(LONG)))
    first, second, third = asked(proxy)
    assert first is None
    assert 0 <= int(second or -1) < int(third or -1) < len(LONG) - 1


def test_a_download_that_brings_nothing_more_is_given_up(
    run: Run, client: ClientSecret, proxy: BreakingProxy
) -> None:
    batch_id = submit(run, LONG, "--watch")
    proxy.after = [20_000, *[5] * 100]
    brought: list[bytes] = []
    with (
        Api(proxy.url, client.secret) as api,
        pytest.raises(ApiError, match=r"--after \d") as caught,
    ):
        brought.extend(download.download(api, batch_id, {"format": "ndjson"}))
    last = asked(proxy)[-1]
    assert f"--after {last}" in str(caught.value)
    assert len(proxy.after) > 80, "it was given up after some tries"


def test_events_go_on_over_a_broken_connection(
    run: Run, client: ClientSecret, proxy: BreakingProxy
) -> None:
    batch_id = submit(run, [{"do": "succeed"}], "--watch")
    # What the first event takes, so that the connection can break right behind it.
    with Api(proxy.url, client.secret) as api:
        [first, last] = events.follow(api, batch_id)
    assert [first.name, last.name] == ["progress", "finished"]
    for bytes_let_through in (400, 600, 800, 1000):
        proxy.requests.clear()
        proxy.after = [bytes_let_through]
        with Api(proxy.url, client.secret) as api:
            told = list(events.follow(api, batch_id))
        assert [event.id for event in told] == [first.id, last.id]
        again = proxy.requests[-1].lower()
        if f"last-event-id: {first.id}".encode() in again:
            return
    raise AssertionError("no connection broke between the two events")
