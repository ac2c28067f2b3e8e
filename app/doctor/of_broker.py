"""The broker: what waits in its queues, and whether its user may send and take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from uuid import uuid4

from kombu import Connection, Producer, Queue

from app.core.settings import Settings
from app.doctor.connecting import cure_of
from app.doctor.finding import Finding, fine, wrong
from app.doctor.of_redis import look_at_server
from app.messaging.depths import queue_depths
from app.messaging.redis_transport import use_one_client

_PATIENCE = 5


def look_at_broker(settings: Settings) -> Iterator[Finding]:
    """Raises SettingsError where none is given."""
    settings.require_servers(database=False)
    options = {
        "socket_timeout": _PATIENCE,
        "socket_connect_timeout": _PATIENCE,
        "max_retries": 0,
    }
    if not (settings.broker_url or "").startswith("redis"):
        # RabbitMQ alone: one that has an alarm lets those who send wait.
        options |= {"read_timeout": _PATIENCE, "write_timeout": _PATIENCE}
    # Kombu keeps the transport that a process first asked for by a name.
    use_one_client()
    try:
        with Connection(
            settings.broker_url or "", connect_timeout=_PATIENCE, transport_options=options
        ) as connection:
            connection.ensure_connection(max_retries=1, timeout=_PATIENCE)
            depths = queue_depths(connection)
            _send_and_take(connection)
            release = _release(connection)
    except Exception as error:  # each transport raises its own
        said = str(error) or type(error).__name__
        yield wrong("broker", said, cure_of(said, "BROKER_URL (or REDIS_URL)"))
        return
    waiting = ", ".join(f"{count:,} in {name}" for name, count in depths.items())
    yield fine("broker", f"{release}messages: {waiting}")
    own = settings.explicit_broker_url or ""
    if own.startswith("redis") and own != settings.redis_url:
        yield from look_at_server("broker", own, "BROKER_URL")


def _send_and_take(connection: Connection) -> None:
    """Do what processes do, with a queue of its own. Raises what the broker's library raises.

    It is called as those are that answers to remote control come by: a broker may let its users
    have queues by their names.
    """
    name = f"{uuid4()}.reply.celery.pidbox"
    with connection.channel() as channel:
        queue = Queue(name, durable=False, exclusive=True, auto_delete=True)(channel)
        queue.declare()
        try:
            Producer(channel).publish("", routing_key=name)
            # What was refused until now RabbitMQ says when something is asked.
            message = queue.get()
            if message is not None:
                message.ack()
        except Exception:
            with suppress(Exception):
                queue.purge()
            raise
        queue.delete()


def _release(connection: Connection) -> str:
    """What a RabbitMQ says that it is; of a Redis nothing, which is looked at by itself."""
    said = getattr(connection.connection, "server_properties", None) or {}
    return f"{said.get('product', 'AMQP')} {said['version']}, " if "version" in said else ""
