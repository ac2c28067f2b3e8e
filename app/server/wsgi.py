"""The web process: one Flask application with the native API, dialects and the console.

Gunicorn calls `create_app()` in each of its workers; tests call it with settings of their own.
"""

from __future__ import annotations

from flask import Flask, request
from redis import Redis
from werkzeug.exceptions import NotFound

import app.api
import app.console
import app.dialects
from app.clients.quotas import STREAMS_AT_ONCE, SUBMISSIONS_AT_ONCE, default_quotas
from app.clients.recent_callers import RecentCallers
from app.core.logs import set_up_logs
from app.core.settings import Settings, load_settings
from app.core.tracing import trace_web
from app.db import make_engine, pools
from app.events.listeners import listen_with
from app.formats import SpoolBudget
from app.messaging.dispatch import Dispatcher
from app.metrics.listener import RedisListener, impatient_redis
from app.operations.known import KnownOperations
from app.web.places import Places
from app.web.rates import Rates
from app.web.services import EXTENSION, Services
from handlers.load import load_handlers


def create_app(settings: Settings | None = None) -> Flask:
    """The application for `settings`, or for those of the environment.

    Connects to nothing yet: a server that is away is a 503 while it is, not a failed start.
    Raises SettingsError, and ImportError for a module of handlers that cannot be imported.
    """
    if settings is None:
        settings = load_settings()
        set_up_logs(settings)
    settings.require_servers()
    flask = Flask("batchline", static_folder=None)
    # A path is taken as it is sent: a key may hold what a router would tidy up.
    flask.url_map.merge_slashes = False
    engine = make_engine(
        settings.database_url or "",
        name="batchline-web",
        pool_size=pools.of_web(settings.web_threads),
    )
    own = load_handlers(settings.handlers, http_bases=settings.http_handler_bases)
    impatient = impatient_redis(settings.redis_url or "")
    flask.extensions[EXTENSION] = here = Services(
        settings=settings,
        engine=engine,
        dispatcher=Dispatcher(settings),
        registry=KnownOperations(own, engine, stale=settings.heartbeat_timeout),
        redis=Redis.from_url(
            settings.redis_url or "",
            socket_timeout=5,
            socket_connect_timeout=2,
            health_check_interval=25,
        ),
        callers=RecentCallers(engine, defaults=default_quotas(settings)),
        rates=Rates(impatient),
        submissions=Places(impatient, SUBMISSIONS_AT_ONCE),
        streams=Places(impatient, STREAMS_AT_ONCE),
        spools=SpoolBudget(settings.spool_bytes),
    )
    listen_with(RedisListener(impatient, own))
    trace_web(flask, here.engine)
    flask.before_request(_take_path_as_sent)
    app.api.register(flask)
    app.dialects.register(flask)
    app.console.register(flask)
    return flask


def _take_path_as_sent() -> None:
    """There is nothing where the router has dropped slashes at the path's beginning.

    Who keeps `/metrics` from the outside by its path in a proxy need not think of `//metrics`.
    """
    if request.environ.get("PATH_INFO", "").startswith("//"):
        request.url_rule, request.routing_exception = None, NotFound()
