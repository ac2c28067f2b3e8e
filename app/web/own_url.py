"""Where this server is reached, for answers that lead back to it."""

from __future__ import annotations

from flask import Request

from app.clients.limits import contains
from app.web.services import services

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def own_url(request: Request) -> str:
    """Scheme and host by which `request` came; nothing where the host may be made up.

    Anybody can send any `Host`. It is believed of a proxy that `FORWARDED_ALLOW_IPS` names, which
    lets no other names through (docs/deploying.md), and if it is the address that the connection
    came in by, or this machine. Otherwise what leads back has to do with a path.
    """
    name = request.host.rpartition(":")[0] or request.host
    peer = request.environ.get("REMOTE_ADDR") or "127.0.0.1"
    own = request.environ.get("SERVER_NAME")
    if name in _LOOPBACK or name.strip("[]") == own:
        return f"{request.scheme}://{request.host}"
    if contains(services().settings.forwarded_allow_ips, peer):
        return f"{request.scheme}://{request.host}"
    return ""
