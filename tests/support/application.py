"""The Flask application in the test's own process, with everything closed that it opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from kombu import pools as pools_of_kombu

from app.core.settings import Settings
from app.events.listeners import listen_with, listener
from app.messaging.dispatch import Dispatcher
from app.metrics.listener import RedisListener
from app.server.wsgi import create_app
from app.web.services import EXTENSION
from app.web.watch import batch_watch
from tests.support.stack import wait_for

_open: list[Flask] = []


@contextmanager
def application(settings: Settings) -> Iterator[Flask]:
    """An application for `settings`, for as long as the block lasts."""
    before = listener()
    app = create_app(settings)
    _open.append(app)
    told = listener()
    try:
        yield app
    finally:
        if listener() is told:
            listen_with(before)
        services = app.extensions[EXTENSION]
        with app.app_context():
            watch = batch_watch()
        wait_for(lambda: not watch._listening and not watch._looking)
        services.engine.dispose()
        services.redis.close()
        assert isinstance(told, RedisListener)
        told._redis.close()
        _open.remove(app)
        close_dispatcher(services.dispatcher)
    assert services.spools.held == 0, "a spool was not closed"
    for places in (services.submissions, services.streams):
        # Otherwise a thread goes on renewing them when there is no Redis any more.
        assert not places._held, "an answer was not closed"


def close_dispatcher(dispatcher: Dispatcher) -> None:
    """Close its connections to the broker, with the last application that is open.

    Kombu shares its pools between all in a process who send to one broker. One that is closed is so
    for all of them: what they accept would be left to the sweep, and take seconds.
    """
    if _open:
        return
    pools: list[Any] = [dispatcher.celery.amqp.producer_pool, dispatcher.celery.pool]
    for pool in pools:
        pool.force_close_all()
    # Who comes next has new ones.
    pools_of_kombu.reset()
