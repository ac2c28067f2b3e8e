"""The package that docs/handlers.md shows, where nothing is installed but wheels."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.package.installing import Environment, build, run
from tests.support.papers import runnable

pytestmark = pytest.mark.long


def test_the_package_of_the_paper_is_built_and_tested(wheel: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "shop").mkdir(parents=True)
    (project / "tests").mkdir()
    [about] = runnable("docs/handlers.md", "toml")
    handler, *others = runnable("docs/handlers.md", "python")
    [tests] = [block for block in others if "def test_a_price" in block.code]
    (project / "pyproject.toml").write_text(about.code)
    (project / "shop" / "__init__.py").touch()
    (project / "shop" / "handlers.py").write_text(handler.code)
    (project / "tests" / "test_prices.py").write_text(tests.code)
    assert run(["git", "init", "--quiet"], cwd=project).returncode == 0
    made = tmp_path / "made"
    made.mkdir()
    environment = Environment(tmp_path / "venv", wheel, build(project, made))
    tested = environment.run("python", "-m", "pytest", "-q", "tests", cwd=project)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "2 passed" in tested.stdout
    look = "from handlers.load import load_handlers; print('shop.price' in load_handlers())"
    assert environment.run("python", "-c", look, cwd=tmp_path).stdout == "True\n"
