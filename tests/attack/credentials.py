"""Each route of each API and of the console, by each kind of caller that may not.

Nothing of another client's is ever shown, and all of it is afterwards as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx
from flask import Flask

from app.clients.credentials import ClientSecret, create_client
from app.clients.keys import create_key, revoke_key
from app.web.services import EXTENSION
from tests.attack.asking import asked
from tests.attack.kinds import Attack, Target
from tests.attack.refusals import (
    Session,
    anothers_ids,
    anothers_references,
    at_the_console,
    wrong_credentials,
)
from tests.attack.theirs import what_another_has
from tests.support.application import application

_CONNECTIONS = 32
# What is looked for is what they are told. Floods are other attacks.
_PER_SECOND = 256
_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')
_COOKIE = "batchline_console"
# Of wrong credentials one in nine is enough in the gate: each route with some kind, and, as a route
# has 16 or 17 kinds, each kind with some route.
_SOME = 9


@contextmanager
def _under_way(target: Target) -> Iterator[None]:
    with application(target.stack.settings) as app:
        engine = app.extensions[EXTENSION].engine
        theirs = what_another_has(target.stack, app, engine)
        stranger = create_client(engine, f"stranger {uuid4()}")
        wrong = list(wrong_credentials(app, engine, theirs, stranger))
        cases = [
            *(wrong[::_SOME] if target.short else wrong),
            *anothers_ids(app, theirs, stranger),
            *anothers_references(theirs, stranger),
        ]
        for session in _sessions(target, app, stranger):
            cases += at_the_console(app, theirs, session)
        before = theirs.seen()
        connections = target.many(_CONNECTIONS)
        with asked(target, cases, connections, per_second=_PER_SECOND) as leaks:
            yield
        assert not leaks, f"{len(leaks)} answers are wrong, as {leaks[0]}"
        assert theirs.seen() == before, "something of another's was changed"


def _sessions(target: Target, app: Flask, stranger: ClientSecret) -> Iterator[Session]:
    """A stranger's, that of a key with another scope, one of a key that was revoked, and none."""
    engine = app.extensions[EXTENSION].engine
    narrow = create_key(engine, stranger.client_id, scopes=["webhooks.manage"])
    revoked = create_key(engine, stranger.client_id)
    yield _signed_in(target, "a stranger at the console", stranger.secret)
    yield _signed_in(target, "a key for webhooks at the console", narrow.secret)
    ended = _signed_in(target, "a session of a revoked key", revoked.secret)
    revoke_key(engine, revoked.key_id)
    yield Session(ended.why, ended.cookie, ended.token, good=False)
    yield Session("a session that was made up", f"{_COOKIE}={'x' * 43}", ended.token, good=False)


def _signed_in(target: Target, why: str, secret: str) -> Session:
    with httpx.Client(base_url=target.stack.url, timeout=30) as browser:
        form = {"csrf": _token(browser), "secret": secret}
        assert browser.post("/console/sign-in", data=form).status_code == 303
        token = _token(browser)
        return Session(why, f"{_COOKIE}={browser.cookies[_COOKIE]}", token, good=True)


def _token(browser: httpx.Client) -> str:
    found = _TOKEN.search(browser.get("/console").text)
    assert found is not None
    return found[1]


ATTACK = Attack("256/s on each route by each wrong caller", "401, 403 and 404 alone", _under_way)
