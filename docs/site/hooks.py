"""What mkdocs cannot do by itself: pages from outside docs/, and the reference of the API.

Links between pages are written for the repository, where people and tests follow them too; here
each is turned into what it is on the site. One that leads to no page of it ends the build.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from pathlib import Path
from typing import Any

from api_reference import reference  # beside this file, where mkdocs looks, too
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
# What `make diagrams` has drawn, each named for its diagram's text.
_DRAWINGS = Path(__file__).parent / "diagrams"
_DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?(?=\))")
# Files of the repository that the site has, by their names there.
_BESIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "reporting.md",
    "LICENSE": "license.txt",
    "clients/typescript/README.md": "typescript.md",
    "examples/shop/README.md": "shop.md",
    "benchmarks/results.md": "measured.md",
    "benchmarks/results.svg": "results.svg",
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is not in docs/."""
    for source, name in _BESIDE.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_bytes()))
    for drawing in _DRAWINGS.glob("*.svg"):
        name = f"diagrams/{drawing.name}"
        files.append(File.generated(config, name, content=drawing.read_bytes()))
    files.append(File.generated(config, "reference.md", content=_reference()))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turn links within the repository into links within the site, and diagrams into drawings."""
    markdown = _DIAGRAM.sub(_drawn, markdown)
    here = next(
        (source for source, name in _BESIDE.items() if name == page.file.src_uri),
        f"docs/{page.file.src_uri}",
    )

    def on_site(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(here), found[1]))
        name = _BESIDE.get(path) or path.removeprefix("docs/")
        return name + (found[2] or "")

    return _LINK.sub(on_site, markdown)


def _drawn(found: re.Match[str]) -> str:
    """The drawing in place of its diagram."""
    text = found[1]
    name = f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.svg"
    if not (_DRAWINGS / name).exists():
        raise PluginError(f"There is no drawing of this: make diagrams\n{text}")
    kind = {"state": "States", "seque": "Sequence"}.get(text[:5], "Diagram")
    return f"![{kind}, as the text tells below](diagrams/{name})"


def _reference() -> str:
    """Every operation of /openapi.json: what it is for, takes and answers."""
    from app.core.settings import load_settings
    from app.server.wsgi import create_app

    # It connects to nothing before it is asked something that needs it.
    nowhere = {"DATABASE_URL": "postgresql://localhost/none", "REDIS_URL": "redis://localhost/0"}
    answer = create_app(load_settings(nowhere)).test_client().get("/openapi.json")
    return reference(answer.get_json())
