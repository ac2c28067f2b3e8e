"""One try at one delivery, over the network."""

from __future__ import annotations

import ssl
import time
from collections.abc import Hashable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from importlib.metadata import version

import httpcore
import httpx

from app.webhooks.addresses import Policy
from app.webhooks.network import ForbiddenAddress, GuardedNetwork

TIME_LIMIT = 15.0
"""Seconds for everything: resolving, connecting, sending, and the answer."""
KEPT_BYTES = 1024
"""Bytes of the answer that are kept in the delivery log."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a try: a `status` and the first KiB of the body, or an `error`.

    Of what clients are not shown there is no `body`, and the `error` does not say what the other
    side did; `detail` does, for our own log. `retry_after`: seconds, where the answer asked for
    that. `seconds`: how long it took.
    """

    seconds: float
    status: int | None = None
    body: str | None = None
    error: str | None = None
    detail: str | None = None
    retry_after: float | None = None

    @property
    def taken(self) -> bool:
        """Whether the receiver has it. A redirect is no answer: it is not followed."""
        return self.status is not None and 200 <= self.status < 300


def send(
    url: str,
    body: str,
    headers: dict[str, str],
    *,
    allowed: Policy,
    whose: Hashable = None,
    time_limit: float = TIME_LIMIT,
) -> Answer:
    """POST `body` to `url`. Never raises for what the network or the other side does.

    `whose`: the client that it is for, whose names are resolved a few at a time.
    """
    begun = time.monotonic()
    network: GuardedNetwork | None = None
    sent = {
        "content-type": "application/json",
        "user-agent": f"Batchline/{version('batchline')}",
        "accept-encoding": "identity",
        "connection": "close",
        **headers,
    }
    try:
        target = httpx.URL(url)
        request_url = httpcore.URL(
            scheme=target.raw_scheme,
            host=target.raw_host,
            port=target.port,
            target=target.raw_path,
        )
        secure = target.scheme == "https"
        network = GuardedNetwork(allowed, time_limit, secure=secure, whose=whose)
        # A connection of its own, since deadline and check belong to this delivery.
        with (
            httpcore.ConnectionPool(ssl_context=_tls(), network_backend=network) as pool,
            pool.stream(
                "POST",
                request_url,
                headers=[("host", target.netloc.decode()), *sent.items()],
                content=body.encode(),
            ) as response,
        ):
            kept = _first(response)
            return Answer(
                time.monotonic() - begun,
                status=response.status,
                body=None if network.hidden else kept,
                retry_after=_retry_after(response.headers),
            )
    except (httpx.InvalidURL, ValueError) as error:
        return Answer(time.monotonic() - begun, error=f"not a usable address: {error}")
    except Exception as error:  # httpcore lets ssl's, h11's and the system's own errors through
        said = (" ".join(str(error).split()) or type(error).__name__)[:KEPT_BYTES]
        shown = _in_general(error) if network is not None and network.hidden else said
        return Answer(time.monotonic() - begun, error=shown, detail=said)


def _in_general(error: Exception) -> str:
    """What happened, without what the other side said: an error may quote it."""
    if isinstance(error, (httpcore.TimeoutException, ForbiddenAddress)):
        return " ".join(str(error).split()) or "not answered in time"
    if isinstance(error, httpcore.ConnectError):
        return "cannot be connected to"
    return "not answered as HTTP wants it"


def _first(response: httpcore.Response) -> str:
    """The body's beginning as text that Postgres can hold; the rest is not read.

    A body that breaks off still leaves the status that came before it.
    """
    kept = b""
    try:
        for chunk in response.iter_stream():
            kept += chunk
            if len(kept) >= KEPT_BYTES:
                break
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
        pass
    return kept[:KEPT_BYTES].decode("utf-8", "replace").replace("\x00", "\ufffd")


def _retry_after(headers: list[tuple[bytes, bytes]]) -> float | None:
    for name, value in headers:
        if name.lower() != b"retry-after":
            continue
        text = value.decode("latin-1").strip()
        if text.isdecimal():
            return float(text)
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
        except (ValueError, OverflowError, TypeError):  # of a date that no clock has
            return None
    return None


@lru_cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=True)
