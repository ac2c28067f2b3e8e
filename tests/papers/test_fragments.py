"""Lines of settings and of code that the papers show are taken by what they are for."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from app.batches.fields import shown_fields
from app.core.settings import load_settings
from tests.support.papers import Block, runnable


def settings_of(block: Block) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.code.splitlines())


def test_secrets_in_files(tmp_path: Path) -> None:
    [block] = runnable("docs/deploying.md", "ini")
    given = settings_of(block)
    assert len(given) == 2
    for variable, path in given.items():
        here = tmp_path / Path(path).name
        here.write_text("postgresql://u:p@h/d")
        given[variable] = str(here)
    loaded = load_settings(given)
    assert str(loaded.database_url).endswith("://u:p@h/d")
    assert loaded.metrics_token == "postgresql://u:p@h/d"


def test_the_proxies_that_are_believed() -> None:
    [block] = runnable("docs/operating.md", "ini")
    given = settings_of(block)
    assert list(given) == ["FORWARDED_ALLOW_IPS"]
    loaded = load_settings(given).forwarded_allow_ips
    assert [str(each) for each in loaded] == ["10.0.0.0/8", "127.0.0.1/32"]


def test_the_declaration_of_a_field() -> None:
    [block] = runnable("docs/contributing.md", "python")
    names: dict[str, Any] = {}
    imports = "from dataclasses import field\nfrom app.batches.fields import shown\n"
    inside = "".join(f"    {line}\n" for line in block.code.splitlines())
    exec(f"{imports}class RowView:\n{inside}", names)  # noqa: S102
    [field] = shown_fields(dataclasses.dataclass(names["RowView"]))
    assert (field.json_name, field.nullable) == ("note", True)
