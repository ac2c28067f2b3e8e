"""A browser for the tests that try what a person would: Chromium, without a screen."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# It is not to look around by itself: for updates, for a network, for a first run.
_QUIET = (
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--disable-gpu",
)


def chromium(of_playwright: str = "") -> str:
    """The path of a Chromium: `CHROMIUM`'s, one of the machine's, or Playwright's own.

    RuntimeError, which says how to get one, where there is none.
    """
    found = [os.environ.get("CHROMIUM"), *map(shutil.which, _NAMES), of_playwright]
    for path in found:
        if path and Path(path).is_file():
            return path
    raise RuntimeError(
        "There is no browser. `make browser` gets one; CHROMIUM=/path names one that is there."
    )


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser of its own, whose files are gone afterwards."""
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as home:
        started = playwright.chromium.launch(
            executable_path=chromium(playwright.chromium.executable_path),
            # Its sandbox does not work for root.
            args=[*_QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])],
            env={**os.environ, "HOME": home},
        )
        try:
            yield started
        finally:
            started.close()


if __name__ == "__main__":
    with sync_playwright() as asked:
        print(chromium(asked.chromium.executable_path))  # noqa: T201
