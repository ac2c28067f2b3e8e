"""What others wrote (names, keys, messages) does nothing in the terminal of who looks at it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from app.cli import main
from app.core.visible import visible, visible_json, visible_lines
from tests.cli.fake import SECRET, FakeBatchline, serving

# Clears the screen, hides what follows, writes a line of its own, and turns the direction.
ACTING = "\x1b[2J\x9b8m\r\x07\x00\nforged\u202e\u2066"
HARMLESS = "plain, ä, 中, 👍, quoted \\n and tab"


class Hostile(FakeBatchline):
    """Its batches and items are another client's, as an admin sees them."""

    def batch(self, batch_id: str) -> dict[str, Any]:
        return {**super().batch(batch_id), "name": f"{HARMLESS}{ACTING}"}

    def answer(self, method: str, path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path == "/v1/audit":
            entry = dict.fromkeys(("at", "action", "clientId", "address", "batchId"), "x")
            entry |= {"keyId": "k", "keyName": "n", "detail": {"name": ACTING}}  # type: ignore[dict-item]
            return 200, {"data": [entry], "next": None}
        if path == "/v1/webhooks":
            return 200, {"data": [], "next": None}
        return super().answer(method, path, query)

    def _items(self, query: dict[str, str]) -> dict[str, Any]:
        rows = [
            {"index": 0, "key": ACTING, "status": "FAILED", "message": f"{HARMLESS}{ACTING}"},
            {"index": 1, "key": None, "status": "SUCCESS", "message": None, "result": [ACTING]},
        ]
        return {"data": rows, "next": None}


COMMANDS = [
    ("status",),
    ("status", "--json"),
    ("status", "b-1"),
    ("watch", "b-1"),
    ("cancel", "b-1"),
    ("items", "b-1"),
    ("items", "b-1", "--json"),
    ("audit",),
    ("audit", "--json"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_nothing_of_it_acts(command: tuple[str, ...]) -> None:
    with serving(Hostile()) as fake:
        env = {"BATCHLINE_URL": fake.url, "BATCHLINE_SECRET": SECRET}
        done = CliRunner(env=env).invoke(main, list(command))
    assert done.exit_code == 0, done.output
    said = done.stdout + done.stderr
    assert "forged" in said
    assert not [line for line in said.splitlines() if line.startswith("forged")]
    for acting in "\x1b\x9b\x07\x00\r\u202e\u2066":
        assert acting not in said.replace("\r\n", "\n"), repr(said)


def test_the_rest_stays_as_it_is() -> None:
    assert visible(HARMLESS) == visible_lines(HARMLESS) == visible_json(HARMLESS) == HARMLESS
    assert visible("a\tb\nc") == r"a\tb\nc"
    assert visible_lines("a\tb\nc\r") == "a\tb\n    c\\r"
    text = json.dumps({"a": ACTING}, ensure_ascii=False, indent=2)
    assert json.loads(visible_json(text)) == {"a": ACTING}
