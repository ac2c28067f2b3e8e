"""SQL stands where one looks for it: in app/db/statements, under a name and a comment."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOMES = (
    "app/db/statements/",
    "app/db/migrations/",
    "app/db/models/",
    "app/dialects/*/statements.py",
    "handlers/shipped/*/statements.py",
    # Declarations, as models are.
    "handlers/tables.py",
    "handlers/shipped/*/tables.py",
)
_MAKERS = {"text", "insert", "update", "delete", "select"}
_SQL = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|COPY|SET LOCAL)\s+\S")


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for folder in ("app", "workers", "handlers", "batchline"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not any(_lies_in(name, home) for home in HOMES):
                yield name, ast.parse(path.read_text())


def _lies_in(name: str, place: str) -> bool:
    return name.startswith(place) or Path(name).match(place)


def _sql_in(tree: ast.Module) -> Iterator[int]:
    """The lines that make a statement: by SQLAlchemy, or as a text."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
            if _MAKERS & {alias.name for alias in node.names}:
                yield node.lineno
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings
            and _SQL.match(node.value)
        ):
            yield node.lineno


def test_statements_stand_in_their_modules() -> None:
    found = {name: lines for name, tree in _sources() if (lines := list(_sql_in(tree)))}
    assert found == {}, "give them a name in app/db/statements"


def test_nobody_edits_the_text_of_a_statement() -> None:
    edited = [
        (name, node.lineno)
        for name, tree in _sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("text", "replace", "format")
        and isinstance(node.value, ast.Name)
        and node.value.id in _named_statements(tree)
    ]
    assert edited == []


def _named_statements(tree: ast.Module) -> set[str]:
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("app.db.statements")
        for alias in node.names
    }


MODULES = sorted((ROOT / "app/db/statements").glob("*.py"))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_each_has_a_comment_and_is_short(module: Path) -> None:
    source = module.read_text()
    lines = source.splitlines()
    assert len(lines) <= 250, "split it"
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name.startswith("_") or not _is_statement(node.value):
                continue
            assert re.fullmatch(r"[A-Z]+(_[A-Z]+)+", name), f"{name}: a verb and a noun"
            assert lines[node.lineno - 2].startswith("#"), f"{name}: what for, and why it is quick"


def _is_statement(value: ast.expr) -> bool:
    """Whether it is made by one of those that make statements, or is one as a text."""
    if isinstance(value, ast.Constant):
        return isinstance(value.value, str) and _SQL.match(value.value) is not None
    made_by = {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}
    return isinstance(value, ast.Call) and bool(made_by & {*_MAKERS, "_statement"})


def test_a_batch_is_locked_in_one_way() -> None:
    locking = re.compile(r"FROM batches\b[^\"]*FOR (NO KEY )?UPDATE(?! SKIP)")
    assert [path.stem for path in MODULES for _ in locking.findall(path.read_text())] == ["batches"]
