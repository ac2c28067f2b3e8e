"""docs/integrating.md: its Python runs, block after block, against the real thing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from app.clients.credentials import ClientSecret
from tests.support.papers import Block, runnable
from tests.support.receiver import Received, Reply, receiving
from tests.support.stack import Stack, wait_for

GUIDE = Path(__file__).parents[1] / "docs" / "integrating.md"


def blocks() -> list[Block]:
    """The Python of the guide, but for that with a generated client (`tests/generated`)."""
    python = runnable("docs/integrating.md", "python")
    return [block for block in python if "batchline_api" not in block.code]


def test_the_guide_can_be_followed(
    stack: Stack,
    client: ClientSecret,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names: dict[str, Any] = {}
    answers: list[int] = []

    def answer(received: Received) -> Reply:
        answers.append(names["receive"](received.headers, received.body))
        return Reply(answers[-1])

    with receiving(answer) as receiver:
        monkeypatch.setenv("BATCHLINE_URL", stack.url)
        monkeypatch.setenv("BATCHLINE_SECRET", client.secret)
        monkeypatch.setenv("MY_HOOK_URL", receiver.url)
        for block in blocks():
            # Errors then name the line of the guide.
            exec(compile("\n" * (block.line - 1) + block.code, str(GUIDE), "exec"), names)  # noqa: S102

        assert names["batch"]["status"] == "PARTIAL"
        assert names["batch"]["summary"]["invalid"] == 1
        assert [item["index"] for item in names["problems"]] == [1]
        assert sorted(names["outcomes"].values()) == ["INVALID", "SUCCESS"]
        assert names["second"]["status"] == "SUCCESS"
        assert names["second"]["summary"]["total"] == 1
        said = capsys.readouterr().out
        assert "2000 of 2000" in said
        assert "PARTIAL 499 completed" in said
        assert "first at 0" in said
        assert "SUCCESS" in said

        # The webhook is registered at the end of the guide: one more batch tells it.
        assert names["event_of"]({}, b"") is None
        request = {"operation": "demo.sleep", "items": [{}]}
        told = names["api"].post("/v1/batches", json=request).json()
        receiver.wait_for(1)
        wait_for(lambda: answers, within=5)
        assert answers == [204]
        assert told["id"] in capsys.readouterr().out
        forged = Received("/", dict(receiver.received[0].headers), b'{"type": "forged"}')
        assert names["receive"](forged.headers, forged.body) == 401
        # A caller's program ends and takes its connections with it; this one goes on.
        names["api"].close()


def test_every_path_of_the_guide_exists(stack: Stack, client: ClientSecret) -> None:
    with stack.http(client) as http:
        known = set(http.get("/openapi.json").json()["paths"])
    named = re.findall(r"\$BATCHLINE_URL(/v1/[^\s\"?]*)", GUIDE.read_text())
    assert named
    for path in named:
        shape = path.replace("$ID", "{batch_id}")
        assert shape in known, path
