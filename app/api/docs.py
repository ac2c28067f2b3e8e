"""/docs: Swagger UI, from a package on this machine."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, send_from_directory
from swagger_ui_bundle import swagger_ui_path

# Scripts and styles come from this server alone.
_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_ASSETS = frozenset(
    {
        "favicon-16x16.png",
        "favicon-32x32.png",
        "index.css",
        "swagger-ui-bundle.js",
        "swagger-ui-standalone-preset.js",
        "swagger-ui.css",
    }
)
_START = """window.addEventListener("load", () => {
  window.ui = SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    validatorUrl: null,
    persistAuthorization: true,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
  });
});
"""

blueprint = Blueprint("docs", __name__, template_folder="templates")


@blueprint.get("/docs")
def page() -> Response:
    """The page."""
    response = Response(render_template("docs.html"), mimetype="text/html")
    response.headers["Content-Security-Policy"] = _POLICY
    return response


@blueprint.get("/docs/start.js")
def start() -> Response:
    """The script that starts it, in a file, since the policy forbids scripts in the page."""
    return Response(_START, mimetype="text/javascript")


@blueprint.get("/docs/assets/<name>")
def asset(name: str) -> Response:
    """A file of the package."""
    if name not in _ASSETS:
        name = "missing"
    return send_from_directory(str(swagger_ui_path), name, max_age=86_400)
