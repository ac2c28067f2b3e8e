"""What a wheel has beside the packages: the Procfile, and the batches in `examples/`.

In a clone both lie where people look for them, and are found there (app/local/serve/shipped.py).
Everything else is said in pyproject.toml.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = Path("app/local/serve/files")


class BuildPy(build_py):
    """Copies them beside the code that looks for them."""

    def run(self) -> None:
        """Build the packages, and add what is shipped with them."""
        super().run()
        if self.editable_mode:
            return
        to = Path(self.build_lib) / SHIPPED
        (to / "examples").mkdir(parents=True, exist_ok=True)
        shutil.copy("Procfile", to)
        for file in Path("examples").iterdir():
            if file.is_file():
                shutil.copy(file, to / "examples")


setup(cmdclass={"build_py": BuildPy})
