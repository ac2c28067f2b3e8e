"""What a paper lists is what the code has: the audit's actions, what can be tried with effects."""

from __future__ import annotations

import re
from pathlib import Path

from app.batches.actions import ACTIONS
from app.batches.actions.chosen import ITEM_ACTIONS
from handlers.load import load_handlers

ROOT = Path(__file__).parents[2]
_THINGS = "batch|items?|webhook|client|key|quota|job|operation|session"
_SAID = re.compile(rf"[\"']((?:{_THINGS})\.[a-z_]+)[\"']")


def actions_of_the_code() -> set[str]:
    """All that is written to the audit: named by the modules that write to it."""
    found = {f"batch.{action}" for action in ACTIONS} | {f"items.{each}" for each in ITEM_ACTIONS}
    for module in (ROOT / "app").rglob("*.py"):
        text = module.read_text()
        if "from app.audit" in text or "insert_audit_row(" in text:
            found.update(_SAID.findall(text))
    return found


def section(paper: str, title: str) -> str:
    """A chapter of a paper, without its title."""
    return (ROOT / paper).read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_audit_s_actions_are_told() -> None:
    listed = section("docs/operating.md", "Audit").partition("Actions are")[2].partition("One ")[0]
    assert set(re.findall(rf"`((?:{_THINGS})\.[a-z_]+)`", listed)) == actions_of_the_code()


def test_what_can_be_tried_with_effects_is_told() -> None:
    [cell] = [
        line
        for line in section("docs/integrating.md", "Trying it first").splitlines()
        if line.startswith('| `"effects"`')
    ]
    can, cannot = re.search(r"\((`.*?`), not (`.*?`)\)", cell).groups()  # type: ignore[union-attr]
    told = dict.fromkeys(re.findall("`([^`]+)`", can), True)
    told |= dict.fromkeys(re.findall("`([^`]+)`", cannot), False)
    shipped = [
        one
        for one in load_handlers(http_bases={"main": "http://127.0.0.1"}, packages=False)
        if one.handler.__module__.startswith("handlers.shipped.")
    ]
    for one in shipped:
        family = f"{one.name.partition('.')[0]}.*"
        assert told.get(one.name, told.get(family)) is one.in_database, one.name
    for name in told:
        assert any(
            one.name == name or (name.endswith("*") and one.name.startswith(name[:-1]))
            for one in shipped
        ), name
