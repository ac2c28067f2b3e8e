"""A page of the console: its addresses, who may see it, and where it stands in the navigation.

    page = Page(__name__, link=Link("Batches", "/console/batches"))

    @page.get("/batches")
    def show() -> Response:
        return page.answer("page.html", batches=...)

A view is called for a signed-in key with the page's scope, or with `admin`. Everything that changes
something is a POST, whose form has to have come from us.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial, wraps
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, g, redirect, request

from app.clients.credentials import Caller
from app.console.shell import csrf, forms, sessions
from app.console.shell.rendering import live, render, unchanged
from app.console.shell.roles import READ, WRITE, may
from app.console.shell.sign_in_form import HOME, form
from app.core import correlation
from app.core.errors import Forbidden
from app.web import preconditions
from app.web.address import caller_address
from app.web.auth import begin_for
from app.web.services import services

View = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Link:
    """An entry of the navigation."""

    label: str
    path: str


@dataclass(slots=True)
class Page:
    """One page. `module`: the `__name__` of its view, beside which its templates lie.

    `link`: None for one that is only reached from others. `scope`: what a key needs to see it.
    """

    module: str
    link: Link | None = None
    scope: str | None = READ
    routes: list[tuple[str, str, View]] = field(default_factory=list)

    @property
    def folder(self) -> str:
        """Its name, which is that of its folder."""
        return self.module.split(".")[-2]

    def get(self, path: str, *, scope: str | None = "") -> Callable[[View], View]:
        """The view answers a GET of `path` (below `/console`)."""
        return self._route("GET", path, self.scope if scope == "" else scope)

    def post(
        self, path: str, *, scope: str | None = WRITE, streamed: bool = False
    ) -> Callable[[View], View]:
        """The view answers a POST of `path`, sent by a form of ours.

        `streamed`: its body may be of any length. The view reads it within bounds of its own, and
        says whether the form has come from us (`csrf.check_token`) before it does anything else.
        """
        return self._route("POST", path, scope, streamed=streamed)

    def open(self, method: str, path: str) -> Callable[[View], View]:
        """The view answers whoever asks: it looks itself at who that is."""

        def decorate(view: View) -> View:
            self.routes.append((method, path, _bounded(view, forms.OF_ANYBODY)))
            return view

        return decorate

    def answer(self, template: str, status: int = 200, **values: Any) -> Response:
        """The page as HTML, of one of its templates."""
        return render(f"{self.folder}/{template}", status, here=self.link, **values)

    def live(
        self,
        template: str,
        *,
        passing: Mapping[str, Any] = MappingProxyType({}),
        told_by: Any = None,
        **values: Any,
    ) -> Response:
        """A part of the page that a browser asks for again and again: 204 if it is as it was.

        That is told by the values, before anything is made of them; those that change by
        themselves, as time passes, are given as `passing`. Its template's outermost element has
        `data-version="{{ version }}"`, and asks with that. `told_by` tells it instead of the
        values, where these are much to read: then `unchanged` is asked before.
        """
        return live(f"{self.folder}/{template}", passing=passing, told_by=told_by, **values)

    def unchanged(self, template: str, told_by: Any) -> Response | None:
        """204 where the browser has the part that this tells from others, else None."""
        return unchanged(f"{self.folder}/{template}", told_by)

    def _route(
        self, method: str, path: str, scope: str | None, *, streamed: bool = False
    ) -> Callable[[View], View]:
        def decorate(view: View) -> View:
            guarded = _signed_in(view, scope, checked=not streamed)
            self.routes.append((method, path, guarded if streamed else _bounded(guarded)))
            return view

        return decorate


def make_blueprint(pages: Iterable[Page]) -> Blueprint:
    """All pages, below `/console`."""
    blueprint = Blueprint("console", __name__, url_prefix="/console")
    links = []
    for page in pages:
        if page.link is not None:
            links.append((page.link, page.scope))
        for method, path, view in page.routes:
            name = f"{page.folder}_{view.__name__}"
            blueprint.add_url_rule(path, name, view, methods=[method])

    # For any request: an error below `/console` may be of a path that no page has.
    @blueprint.before_app_request
    def offer() -> None:
        g.links = links

    return blueprint


def _bounded(view: View, most: int = forms.OF_SIGNED_IN) -> View:
    @wraps(view)
    def bounded(**values: Any) -> Any:
        forms.bound(request, most)
        return view(**values)

    return bounded


def _signed_in(view: View, scope: str | None, *, checked: bool) -> View:
    @wraps(view)
    def guarded(**values: Any) -> Any:
        token = sessions.token_of(request)
        found = identify()
        if found is None:
            return _sign_in_first()
        if not may(found, scope):
            raise Forbidden(f"This needs the scope {scope}, which your key does not have.")
        preconditions.check(request, preconditions.NONE)
        if request.method == "POST" and checked:
            csrf.check(request, token)
        return view(**values)

    return guarded


def identify() -> Caller | None:
    """Who is signed in, who from now on makes the request; None where nobody is."""
    token = sessions.token_of(request)
    found = sessions.find(token) if token else None
    if token is None or found is None or not found.may_call_from(caller_address()):
        return None
    correlation.note(clientId=found.client_id, keyId=found.key_id)
    g.console_token = token
    g.find_again = partial(sessions.find, token, services())
    # As it stands in the header, by which the server knows the next one.
    begin_for(found, f"{sessions.COOKIE}={token}")
    return found


def _sign_in_first() -> Any:
    if request.method == "POST":
        raise Forbidden("You are not signed in any more. Sign in, and do it again.")
    if "HX-Request" in request.headers:
        # A page that was left open loads anew, and so shows the form.
        return Response(status=200, headers={"HX-Refresh": "true"})
    if request.path == HOME:
        return form(request.args.get("next", HOME))
    wanted = request.full_path.rstrip("?")
    return redirect(f"{HOME}?next={quote(wanted, safe='')}", 303)
