"""`http.request`: items that are forwarded, each as a request, to a system of the operator's.

Where requests may go is the operator's to say (`HTTP_HANDLER_BASES`); an item names one of those
bases and a path below it, and reaches nothing else. The operation is offered only where there are
bases.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
from marshmallow import Schema, ValidationError, fields, validate

from handlers.breaker import Breaker
from handlers.contract import Context, Item, Outcome, Reject, Retry
from handlers.fields import Reference, Text
from handlers.operation import Operation
from handlers.outbound.pace import pace_of
from handlers.outbound.paths import LONGEST_PATH, below, safe_path
from handlers.outbound.responses import read_body, retry_after
from handlers.outbound.transport import deadline, make_client
from handlers.registry import Registry

NAME = "http.request"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_EXCERPT_BYTES = 2000
_EXCERPT_CHARACTERS = 300
_encoder = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class Limits:
    """`total_seconds`: a whole request; `connect_seconds`, `read_seconds`: one step of it.

    `body_bytes`: how much of the answer's body is kept.
    """

    total_seconds: float = 30.0
    connect_seconds: float = 5.0
    read_seconds: float = 20.0
    body_bytes: int = 64 * 1024


class Path(Text):
    """A path below the base. Loaded as it will be sent."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(longest=LONGEST_PATH, shortest=0, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        try:
            return safe_path(super()._deserialize(value, attr, data, **kwargs))
        except ValueError as error:
            raise ValidationError(str(error)) from None


class Query(fields.Dict):
    """Parameters by name: text, numbers, true or false, or lists of them. Loaded encoded."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        read: Callable[..., dict[str, Any]] = super()._deserialize
        parameters = read(value, attr, data, **kwargs)
        pairs = [
            (name, _parameter(single))
            for name, several in parameters.items()
            for single in (several if isinstance(several, list) else [several])
        ]
        return urlencode(pairs)


def _parameter(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, Decimal)):
        return str(value)
    raise ValidationError("Must hold text, numbers, true or false, or lists of them.")


class RequestSchema(Schema):
    """A request. `body`: any JSON. Requests of one batch with the same `key` keep their order."""

    method = Text(required=True, validate=validate.OneOf(METHODS))
    path = Path(required=True)
    query = Query(load_default="")
    body = fields.Raw(load_default=None, allow_none=True)
    key = Reference(load_default=None, allow_none=True)


def _schema(bases: Mapping[str, str]) -> type[Schema]:
    """The schema of requests to these bases; the only one need not be named."""
    only = next(iter(bases)) if len(bases) == 1 else None
    named = {"load_default": only} if only is not None else {"required": True}
    base = Text(validate=validate.OneOf(list(bases)), **named)
    return type("HttpRequestSchema", (RequestSchema,), {"base": base})


class Forwarder:
    """Sends items to `bases` (URLs by name). One a process; its connections are pooled."""

    def __init__(self, bases: Mapping[str, str], limits: Limits | None = None) -> None:
        self._bases = dict(bases)
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._client: tuple[int, httpx.Client] | None = None

    def operation(self) -> Operation:
        """`http.request`, forwarding through this."""
        return Operation(
            name=NAME,
            handler=self.forward,
            schema=_schema(self._bases),
            description="Forward the item, as an HTTP request, to a system of the operator's.",
            key=("key",),
            in_database=False,
            queue="slow",
            max_attempts=5,
            breaker=Breaker(),
            bases=tuple(self._bases),
            # What the request's own limit leaves out, such as looking up a name.
            timeout_seconds=self._limits.total_seconds + 15,
        )

    def forward(self, item: Item, context: Context) -> Outcome:
        """Send the item's request; its status and body are the result.

        Raises Retry for 429, 5xx, and where no answer came; Reject for every other status.
        """
        data = item.data
        try:
            url = below(self._bases[data["base"]], data["path"], data["query"])
        except ValueError as error:
            raise Reject(str(error)) from None
        headers = {"Idempotency-Key": context.idempotency_key(item)}
        content = None
        if data["body"] is not None:
            content = _encoder.encode(data["body"])
            headers["Content-Type"] = "application/json"
        try:
            with (
                deadline(self._limits.total_seconds),
                self._http().stream(
                    data["method"], url, content=content, headers=headers
                ) as response,
            ):
                return self._outcome(response)
        except httpx.TimeoutException:
            raise Retry("The downstream did not answer in time", code=504) from None
        except httpx.TransportError as error:
            # The address, which may hold credentials, is not shown to clients.
            raise Retry(
                f"No answer from the downstream ({type(error).__name__})", code=502
            ) from None

    def _outcome(self, response: httpx.Response) -> Outcome:
        status = response.status_code
        if 200 <= status < 300:
            body = read_body(response, self._limits.body_bytes)
            kept = {"status": status, "body": body.value, "truncated": body.truncated}
            return Outcome(kept, pace=pace_of(response))
        said = f"The downstream answered {status}{_excerpt(response)}"
        if status == 429 or 500 <= status < 600:
            after = retry_after(response)
            if status == 429 and after is None:
                after = pace_of(response)
            raise Retry(said, code=status, after=after)
        if 300 <= status < 400:
            raise Reject(f"{said}; redirects are not followed", code=status)
        raise Reject(said, code=status)

    def _http(self) -> httpx.Client:
        """This process's client: connections must not be shared with the process it forked from."""
        with self._lock:
            if self._client is None or self._client[0] != os.getpid():
                made = make_client(
                    connect_seconds=self._limits.connect_seconds,
                    read_seconds=self._limits.read_seconds,
                )
                self._client = (os.getpid(), made)
            return self._client[1]


def _excerpt(response: httpx.Response) -> str:
    """The beginning of the body of an answer that was no success, for its message."""
    try:
        body = read_body(response, _EXCERPT_BYTES).value
    except httpx.TransportError:
        return ""
    if body is None:
        return ""
    text = body if isinstance(body, str) else _encoder.encode(body).decode()
    text = " ".join(text.split())
    return f": {text[:_EXCERPT_CHARACTERS]}" if text else ""


def offer(registry: Registry, bases: Mapping[str, str]) -> None:
    """Have `http.request` in `registry` if there are bases, and not if there are none."""
    if bases:
        registry.add(Forwarder(bases).operation())
    else:
        registry.discard(NAME)
