"""The native API over HTTP: requests, and refusals as exceptions with one readable line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import httpx

from batchline.client.errors import ApiError

# A submission is answered after its commit, and five million items take a while to copy.
TIMEOUT = httpx.Timeout(30.0, read=600.0, write=600.0)

_NO_PATH = "There is nothing at this path."
_KINDS = {"batches": "batch", "webhooks": "webhook", "deliveries": "delivery"}
_ID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})


def has_ended(batch: Mapping[str, Any]) -> bool:
    """Whether nothing more will happen to the batch by itself: no long action goes on, either."""
    return batch["finishedAt"] is not None and not batch.get("doing")


class Api:
    """Calls to one Batchline. Use as a context manager.

    `url`: its address, without `/v1`. `secret`: of a client. Every method raises ApiError.
    """

    def __init__(self, url: str, secret: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        self.url = url.rstrip("/")
        try:
            self._client = httpx.Client(
                base_url=self.url,
                headers=headers,
                timeout=TIMEOUT,
                # No proxy is on the way to this machine, whatever the environment says.
                trust_env=httpx.URL(self.url).host not in LOCAL,
            )
        except (httpx.InvalidURL, UnicodeError) as error:
            raise ApiError(f"{url} is not a usable address: {error}") from error

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Make one request (`options` as httpx takes them). Raises ApiError unless it succeeds."""
        try:
            response = self._client.request(method, path, **options)
        except httpx.HTTPError as error:
            why = str(error) or type(error).__name__
            raise ApiError(f"Cannot reach {self.url}: {why}. Is Batchline running?") from error
        except httpx.InvalidURL as error:
            raise ApiError(f"{path!r} does not go into an address: {error}") from error
        if not response.is_success:
            raise refusal(response)
        return response

    def call(self, method: str, path: str, **options: Any) -> Any:
        """The JSON that a request is answered with. Raises ApiError, also where it is none."""
        return _json(self.request(method, path, **options))

    @contextmanager
    def stream(
        self, method: str, path: str, *, read_timeout: float = 60.0, **options: Any
    ) -> Iterator[httpx.Response]:
        """Make one request whose answer is read as it arrives. Raises ApiError if it is refused.

        What breaks it off later is httpx's own HTTPError. `read_timeout`: most seconds without a
        byte.
        """
        timeout = httpx.Timeout(30.0, read=read_timeout)
        request = self._client.build_request(method, path, timeout=timeout, **options)
        try:
            response = self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            why = str(error) or type(error).__name__
            raise ApiError(f"Cannot reach {self.url}: {why}. Is Batchline running?") from error
        try:
            if not response.is_success:
                response.read()
                raise refusal(response)
            if response.headers.get("Content-Type", "").startswith("text/html"):
                raise _no_answer(response)
            yield response
        finally:
            response.close()

    def get(self, path: str, **params: Any) -> Any:
        """The JSON that a GET of `path` answers. `params` that are None are left out."""
        given = {name: value for name, value in params.items() if value is not None}
        return self.call("GET", path, params=given)

    def batch(self, batch_id: str) -> dict[str, Any]:
        """A batch, as `GET /v1/batches/{id}` shows it."""
        batch: dict[str, Any] = self.get(f"/v1/batches/{segment(batch_id)}")
        return batch

    def items(self, batch_id: str, *, limit: int | None = None, **filters: Any) -> Iterator[Any]:
        """A batch's items in index order, at most `limit` of them, page by page."""
        yield from self.pages(f"/v1/batches/{segment(batch_id)}/items", limit=limit, **filters)

    def pages(self, path: str, *, limit: int | None = None, **filters: Any) -> Iterator[Any]:
        """The entries of a list, at most `limit` of them, page by page."""
        left = limit
        cursor: str | None = None
        while left is None or left > 0:
            size = 1000 if left is None else min(1000, left)
            page = self.get(path, limit=size, cursor=cursor, **filters)
            yield from page["data"]
            left = None if left is None else left - len(page["data"])
            cursor = page["next"]
            if cursor is None:
                return

    def ready(self) -> bool:
        """Whether the API is up and has everything it needs: Postgres, broker, a worker."""
        try:
            return self._client.get("/readyz", timeout=10).is_success
        except httpx.HTTPError:
            return False

    def offers(self, path: str) -> bool:
        """Whether a GET of `path` finds anything."""
        try:
            return self._client.get(path, timeout=10).status_code < 400
        except httpx.HTTPError:
            return False


def refusal(response: httpx.Response) -> ApiError:
    """The error for a refused request: its detail, then a line for each field at fault."""
    if response.is_redirect:
        return _elsewhere(response)
    body = _problem(response)
    said = str(body.get("detail") or body.get("title") or response.reason_phrase or "refused")
    if said == _NO_PATH:
        said = _no_such(response.url) or said
    lines = [said]
    for error in body.get("errors") or ():
        if isinstance(error, Mapping):
            lines.append(f"  {error.get('pointer', '')}: {error.get('message', '')}")
    text = "\n".join(lines)
    return ApiError(
        f"{response.status_code} {text}",
        status=response.status_code,
        body=body,
        retry_after=_seconds(response.headers.get("Retry-After")),
    )


def _elsewhere(response: httpx.Response) -> ApiError:
    """The error for a redirect.

    It is not followed: a POST would become a GET, and the secret would go to whoever was named.
    """
    url = response.url
    place = response.headers.get("Location", "")
    # Most often it is the same path behind another address, which is what is to be used.
    address = place.partition("?")[0].removesuffix(url.path) or place
    use = f"use {address}" if address.startswith("http") else "use the address it leads to"
    said = f"{response.status_code} {url} redirects to {place or 'nowhere'}: {use}"
    return ApiError(said, status=response.status_code)


def _no_such(url: httpx.URL) -> str | None:
    """What is not there, where a path names it by something that is no id.

    To the API that is a path that leads nowhere, and says only that.
    """
    from urllib.parse import unquote

    parts = url.raw_path.partition(b"?")[0].decode("ascii", "replace").split("/")
    for kind, name in pairwise(parts):
        if kind in _KINDS and name and not _ID.fullmatch(name):
            return f"There is no {_KINDS[kind]} {unquote(name)!r}."
    return None


def _seconds(text: str | None) -> float | None:
    """What `Retry-After` says; None where that is a date, or nothing."""
    return float(text) if text and text.isascii() and text.isdecimal() else None


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        raise _no_answer(response) from None


def _no_answer(response: httpx.Response) -> ApiError:
    """The error for an answer that came, and is none of Batchline's: it is not asked for again."""
    said = f"{response.url} did not answer with JSON: is it Batchline?"
    return ApiError(said, status=response.status_code)


def segment(text: str) -> str:
    """`text` quoted, as one segment of a path."""
    from urllib.parse import quote

    return quote(text, safe="")
