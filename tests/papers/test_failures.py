"""The walk of docs/failures.md, from three kinds of failure to none: by curl, and from Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.clients.credentials import ClientSecret
from batchline.client import Client
from tests.papers.shell import run
from tests.support.papers import assert_shown, runnable, shown
from tests.support.stack import Stack


def answers(printed: str) -> list[dict[str, object]]:
    """The JSON objects that a block printed, one behind the other."""
    decoder, found, text = json.JSONDecoder(), [], printed.strip()
    while text:
        answer, end = decoder.raw_decode(text)
        found.append(answer)
        text = text[end:].strip()
    return found


@pytest.mark.parametrize("by_command", [False, True], ids=["curl", "command"])
def test_by_curl(stack: Stack, client: ClientSecret, tmp_path: Path, by_command: bool) -> None:
    environ = {
        **stack.environ,
        "BATCHLINE_URL": stack.url,
        "BATCHLINE_SECRET": client.secret,
    }
    submitted, causes, outside, retried, edits, again, history = (
        block.code for block in runnable("docs/failures.md", "console")
    )
    by_cause, tries = (shown(block.code) for block in runnable("docs/failures.md", "json"))
    [batch] = answers(run(submitted, tmp_path, **environ))
    assert batch["status"] == "PARTIAL"
    environ["ID"] = str(batch["id"])
    [found] = answers(run(causes, tmp_path, **environ))
    # Of two that are as frequent, ids say which is first; they are the operation's own.
    order = ["catalog.category", "catalog.masterlist", "loyalty.redeem"]
    rows = sorted(found["data"], key=lambda row: order.index(row["operation"]))  # type: ignore[call-overload]
    assert_shown(by_cause, {**found, "data": rows})
    environ["FAILURE"] = rows[0]["failure"]
    if by_command:
        run(outside.partition("\n\n")[0], tmp_path, **environ)
        told = run(f"{{ {retried}}} || test $? -eq 3", tmp_path, **environ)
        assert "Parent category" in told
        left = run('batchline failures "$ID" --json', tmp_path, **environ)
        assert len(left.splitlines()) == 2
        assert environ["FAILURE"] not in left
    else:
        _, chosen, batch = answers(run(outside, tmp_path, **environ))
        assert (chosen["selected"], batch["status"]) == (2, "PARTIAL")
    first, second = answers(run(edits, tmp_path, **environ))
    assert (first["status"], second["status"]) == ("INVALID", "INVALID")
    chosen, batch = answers(run(again, tmp_path, **environ))
    assert (chosen["selected"], batch["status"]) == (3, "SUCCESS")
    [found] = answers(run(history, tmp_path, **environ))
    assert_shown(tries, found)


def test_from_python(
    stack: Stack,
    client: ClientSecret,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("BATCHLINE_URL", stack.url)
    monkeypatch.setenv("BATCHLINE_SECRET", client.secret)
    names: dict[str, object] = {}
    told = []
    try:
        for block in runnable("docs/failures.md", "python"):
            exec(compile(block.code, str(block), "exec"), names)  # noqa: S102
            told.append(capsys.readouterr().out.splitlines())
    finally:
        made = names.get("client")
        if isinstance(made, Client):
            made.close()
    assert sorted(line.split()[0] for line in told[0]) == ["1", "2", "2"]
    assert told[1][0] == "SUCCESS"
    assert [line.split()[:2] for line in told[1][1:]] == [["1", "FAILED"], ["2", "SUCCESS"]]
