"""Webhooks that are to lead inwards: by addresses, by names, and by receivers that send them on.

What is written as an address is refused at once, in every notation. What a name stands for is only
known when something is sent to it: nothing may be connected to, and an error says no address. A
redirect is not followed. On 127.0.0.2, which nobody allowed, somebody listens and may hear nothing.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import cycle
from typing import Any

import httpx

from tests.attack.hooks import submit, webhooks
from tests.attack.kinds import Attack, Target
from tests.support.hostile_names import name_of
from tests.support.receiver import Received, Reply, receiving
from tests.support.stack import wait_for
from tests.webhooks.test_addresses import FORMS, METADATA, SPELLED, in_form

ALLOWED, HIDDEN, INSIDE = "127.0.0.1", "127.0.0.2", "10.1.2.3"
_HIDDEN_SPELLED = ("2130706434", "0x7f000002", "0177.0.0.2", "127.2", "0x7f.0.2", "127.0.0.2.")
_V4 = [address for address in [*METADATA, HIDDEN, INSIDE] if ":" not in address]
_V6 = [address for address in METADATA if ":" in address and "%" not in address]
_MOVED = (301, 302, 303, 307, 308)
_TAKEN = 204
_REFUSED = "webhooks may not go there"


def literals() -> list[str]:
    """Hosts of URLs that are addresses inside, or where metadata is; each has to be refused."""
    in_v6 = [in_form(form, address) for form in FORMS for address in _V4]
    return [*SPELLED, *_HIDDEN_SPELLED, *_V4, *(f"[{address}]" for address in [*_V6, *in_v6])]


def names() -> list[str]:
    """Names that stand for such addresses, at once or once they have been looked up before."""
    inside = [HIDDEN, INSIDE, "169.254.169.254", "168.63.129.16", "::1", "fd00:ec2::254"]
    inside += [in_form("::ffff:{v4}", HIDDEN), in_form("64:ff9b::{v4}", HIDDEN)]
    return [*map(name_of, inside), name_of((ALLOWED, HIDDEN))]


@contextmanager
def listening() -> Iterator[tuple[int, list[socket.socket]]]:
    """A port of 127.0.0.2, and of ::1 where there is one; sockets that nobody may connect to."""
    with ExitStack() as opened:
        hidden = opened.enter_context(socket.create_server((HIDDEN, 0)))
        port, sockets = hidden.getsockname()[1], [hidden]
        with suppress(OSError):
            v6 = socket.create_server(("::1", port), family=socket.AF_INET6)
            sockets.append(opened.enter_context(v6))
        yield port, sockets


def heard(sockets: Sequence[socket.socket]) -> bool:
    """Whether anybody has connected to one of them."""
    for one in sockets:
        one.setblocking(False)
        with suppress(BlockingIOError):
            one.accept()[0].close()
            return True
    return False


@contextmanager
def _under_way(target: Target) -> Iterator[None]:
    with listening() as (port, hidden), target.stack.http(target.attacker) as http:
        _sent_inwards(target, http, port)
        with _registering(target, port):
            yield
        assert not heard(hidden), "somebody connected to where nothing may go"


def _sent_inwards(target: Target, http: httpx.Client, port: int) -> None:
    """Two events to each name, and to receivers that lead on; none of them gets anywhere."""
    aims = (f"http://{HIDDEN}:{port}/", "http://169.254.169.254/latest/meta-data/")

    def lead_on(received: Received) -> Reply:
        _, status, aim = received.path.split("/")
        return Reply(int(status), headers={"Location": aims[int(aim)]})

    with receiving(lead_on) as receiver:
        host = f"{ALLOWED}:{receiver.port}"
        leads = [
            (f"http://{host}/{status}/{place}", status)
            for status in _MOVED
            for place in range(len(aims))
        ]
        # A name that is pointed inwards once it has been looked up. Of two events one gets there.
        moves = f"http://{name_of(ALLOWED, HIDDEN)}:{receiver.port}/{_TAKEN}/0"
        public = f"https://{name_of(('8.8.8.8', HIDDEN))}:{port}/"
        inward = [*(f"http://{name}:{port}/" for name in names()), public]
        statuses: dict[str, list[int | None]] = {url: [None, None] for url in inward}
        statuses |= {url: [status, status] for url, status in leads}
        statuses[moves] = [None, _TAKEN]
        with webhooks(http, statuses) as made:
            submit(http)
            submit(http)
            for webhook_id, (url, expected) in zip(made, statuses.items(), strict=True):
                tried = wait_for(partial(_both_tried, http, webhook_id), what=url)
                _judge(url, tried, expected)


def _both_tried(http: httpx.Client, webhook_id: str) -> list[dict[str, Any]]:
    """The deliveries of both events once each has been tried; an empty list before."""
    answer = http.get(f"/v1/webhooks/{webhook_id}/deliveries").raise_for_status()
    deliveries: list[dict[str, Any]] = answer.json()["data"]
    tried = [one for one in deliveries if one["attempts"]]
    return tried if len(tried) == 2 else []


def _judge(url: str, tried: list[dict[str, Any]], expected: Sequence[int | None]) -> None:
    statuses = sorted((one["responseStatus"] for one in tried), key=lambda status: status or 0)
    assert statuses == list(expected), f"{url} was answered {statuses}"
    for one in tried:
        if one["responseStatus"] is None:
            error = str(one["error"])
            assert _REFUSED in error, f"{url}: {error}"
            assert HIDDEN not in error, f"{url} tells the address: {error}"


@contextmanager
def _registering(target: Target, port: int) -> Iterator[None]:
    """Each address is sent for registration, as it stands, over and over; each is refused."""
    urls = [f"{scheme}://{host}:{port}/" for host in literals() for scheme in ("http", "https")]
    some = urls[:: 8 if target.short else 1]
    done = threading.Event()

    def register() -> list[str]:
        wrong: list[str] = []
        with target.stack.http(target.attacker) as http:
            for number, url in enumerate(cycle(some)):
                if number >= len(some) and done.is_set():
                    return wrong
                answer = http.post("/v1/webhooks", json={"url": url})
                if answer.status_code != 422:
                    wrong.append(f"{url}: {answer.status_code} {answer.text[:100]}")
        return wrong

    with ThreadPoolExecutor(1) as pool:
        registering = pool.submit(register)
        try:
            yield
        finally:
            done.set()
        wrong = registering.result()
    assert not wrong, f"{len(wrong)} addresses were not refused, as {wrong[0]}"


ATTACK = Attack("webhooks that lead inwards", "each address, as it is connected to", _under_way)
