"""Many connections at once, held by one thread: what an attacker sends, and when."""

from __future__ import annotations

import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.attack.kinds import Target

# Connections that are opened anew in one turn.
_ANEW = 50


@contextmanager
def peers(
    target: Target,
    number: int,
    begin: bytes,
    *,
    trickle: Callable[[int], bytes] | None = None,
    every: float = 1.0,
    again: bool = True,
    take: int = 65536,
    receive_buffer: int | None = None,
) -> Iterator[list[socket.socket]]:
    """`number` connections that have sent `begin`. Each `every` seconds each sends `trickle(n)`.

    `again`: one that the server closes is opened anew, so that the attack goes on.
    `take`: bytes that a peer which sends nothing more reads as often; 0 if it never reads.
    `receive_buffer`: bytes that the kernel takes for a peer beforehand.
    """
    _allow_files(number)
    done = threading.Event()

    def connect() -> socket.socket:
        peer = socket.socket()
        if receive_buffer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        peer.settimeout(20)
        with suppress(OSError):
            peer.connect(target.address)
            peer.sendall(begin)
            peer.setblocking(False)
        return peer

    opened = [connect() for _ in range(number)]

    def go_on() -> None:
        turn = 0
        while not done.wait(every):
            turn += 1
            anew = 0
            for place, peer in enumerate(opened):
                if done.is_set():
                    return
                try:
                    if trickle is not None:
                        peer.send(trickle(turn))
                    elif take and peer.recv(take) == b"":
                        raise ConnectionResetError
                except BlockingIOError:
                    continue
                except OSError:
                    # Slow peers are tried here, and not a flood of those that are refused.
                    if again and anew < _ANEW:
                        anew += 1
                        peer.close()
                        opened[place] = connect()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield opened
    finally:
        done.set()
        thread.join()
        for peer in opened:
            peer.close()


def _allow_files(number: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number + 1000
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
