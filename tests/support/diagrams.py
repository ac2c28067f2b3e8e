"""The diagrams of the papers as drawings: `make diagrams` draws those that are new.

A drawing is named for its diagram's text, so one that was changed has none until it is drawn. The
site shows the drawings (`docs/site/hooks.py`), and so needs no script of mermaid's.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.browser import browser
from tests.support.papers import ROOT, blocks_of, papers

FOLDER = ROOT / "docs" / "site" / "diagrams"
# Text as text, and not as HTML, which no image may hold. The same text is drawn the same.
_OPTIONS = {
    "startOnLoad": False,
    "theme": "neutral",
    "htmlLabels": False,
    "flowchart": {"htmlLabels": False},
    # So wide apart that what stands at one arrow does not cover another's.
    "state": {"nodeSpacing": 90, "rankSpacing": 60},
    "deterministicIds": True,
    "securityLevel": "strict",
    "fontFamily": "Helvetica, Arial, sans-serif",
}
_DRAW = """async (text) => {
  const { svg } = await mermaid.render("drawing", text);
  const made = new DOMParser().parseFromString(svg, "text/html").querySelector("svg");
  made.style.backgroundColor = "white";
  // As tall and wide as it is, so that it can be an image.
  const box = made.viewBox.baseVal;
  made.setAttribute("width", Math.ceil(box.width));
  made.setAttribute("height", Math.ceil(box.height));
  return new XMLSerializer().serializeToString(made);
}"""


def drawing_of(text: str) -> Path:
    """Where the drawing of that diagram is, or would be."""
    return FOLDER / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.svg"


def diagrams() -> list[str]:
    """The diagrams of all papers."""
    blocks = [block for paper in papers() for block in blocks_of(paper)]
    return [block.code for block in blocks if block.language == "mermaid"]


def draw(texts: list[str]) -> None:
    """Write the drawings of these diagrams. A diagram that is wrong ends it, with the reason."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            (Path(folder) / name).write_bytes((FOLDER / name).read_bytes())
        npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(npm, cwd=folder, check=True)
        script = Path(folder) / "node_modules" / "mermaid" / "dist" / "mermaid.min.js"
        with browser() as started:
            page = started.new_page()
            page.add_script_tag(path=script)
            page.evaluate(f"mermaid.initialize({json.dumps(_OPTIONS)})")
            for text in texts:
                drawing_of(text).write_text(f"{page.evaluate(_DRAW, text)}\n")


def main() -> int:
    """Draw what has no drawing, and remove drawings of what there is no more."""
    wanted = diagrams()
    if missing := [text for text in wanted if not drawing_of(text).exists()]:
        draw(missing)
    for path in set(FOLDER.glob("*.svg")) - set(map(drawing_of, wanted)):
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
