"""For HANDLERS: this process resolves the names of `hostile_names`, and registers nothing."""

from __future__ import annotations

import socket

from tests.support.hostile_names import answering

socket.getaddrinfo = answering(socket.getaddrinfo)
