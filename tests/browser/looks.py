"""What is wrong with how a page looks, as the browser says."""

from __future__ import annotations

import json

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize

PHONE: ViewportSize = {"width": 390, "height": 844}
WALL: ViewportSize = {"width": 2560, "height": 800}
# The longest line of text that is read with ease, in the size of its letters: some 80 of them.
MEASURE = 44

_LONG_LINES = """most => {
  const main = document.querySelector("main"), found = [];
  const texts = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
  for (let text; (text = texts.nextNode()); ) {
    if (!text.data.trim() || text.parentElement.closest("pre, textarea, .mono")) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const size = parseFloat(getComputedStyle(text.parentElement).fontSize);
    // What is longer than its cell is cut there, by an ellipsis.
    const end = (text.parentElement.closest("td") ?? main).getBoundingClientRect().right;
    for (const line of range.getClientRects()) {
      const width = Math.min(line.right, end) - line.left;
      if (width > most * size) found.push([Math.round(width / size), text.data.trim()]);
    }
  }
  return found;
}"""
_SIDEWAYS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
_CUT_OFF = """links => links.filter(link => {
  const at = link.getBoundingClientRect(), own = link.closest("header").getBoundingClientRect();
  const seen = document.elementFromPoint(at.x + at.width - 2, at.y + at.height / 2);
  return at.left < own.left || at.right > own.right || seen !== link;
}).map(link => link.textContent)"""


def violations(page: Page) -> list[str]:
    """What axe-core finds."""
    response = Axe().run(page).response
    return [
        f"{one['id']}: {json.dumps([node['html'][:200] for node in one['nodes'][:3]])}"
        for one in response["violations"]
    ]


def too_wide(page: Page) -> list[str]:
    """Whether it has to be scrolled sideways; what scrolls within itself does not count."""
    needed, there = page.evaluate(_SIDEWAYS)
    return [f"{needed} px in a window of {there}"] if needed > there else []


def cut_off(page: Page) -> list[str]:
    """Links of the navigation that are not to be seen as a whole."""
    links = page.get_by_role("navigation", name="Console").get_by_role("link")
    return [str(each) for each in links.evaluate_all(_CUT_OFF)]


def long_lines(page: Page) -> list[str]:
    """Lines of text that are hard to read: all but what is code."""
    return [f"{length} em: {text[:80]}" for length, text in page.evaluate(_LONG_LINES, MEASURE)]
