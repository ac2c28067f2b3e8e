"""The web console, `/console`: pages over the same domain as the APIs.

`shell` is what all pages share: sessions, their forms, the frame around them, files. `pages` has a
folder a page, none of which knows another. docs/contributing.md tells how one is added.
"""

from __future__ import annotations

from flask import Flask

from app.console.pages import PAGES
from app.console.shell import assets, errors
from app.console.shell.page import identify, make_blueprint
from app.console.shell.rendering import protect
from app.web.nowhere import recognize_under


def register(flask: Flask) -> None:
    """Serve the console, its files and its errors from `flask`."""
    blueprint = make_blueprint(PAGES)
    assets.register(blueprint)
    flask.register_blueprint(blueprint)
    errors.register(flask)
    recognize_under(flask, "/console", identify)
    flask.after_request(protect)
