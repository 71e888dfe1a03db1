"""``GET /.well-known/telephony-agent``: proof of which server answers behind a public URL.

A tunnel may lead to an old server, another machine's, or a stranger's. So the asker sends a nonce, and gets a digest of
it that only a server with the same identity can make. The identity is a secret of the data folder and the port, so all
workers of a server share it and it outlives a restart.
"""

from __future__ import annotations

import hashlib
import hmac

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from telephony_agent.web.site import site_of

WELL_KNOWN = "/.well-known/telephony-agent"
_LONGEST_NONCE = 100


def proof(identity: bytes, nonce: str) -> str:
    """Return what a server with this identity answers to a nonce: 64 hexadecimal digits."""
    return hmac.new(identity, nonce.encode(), hashlib.sha256).hexdigest()


async def well_known(request: Request) -> Response:
    """Prove to whoever sends ``?nonce=`` and knows this server's identity that it is this one."""
    identity = site_of(request).identity
    nonce = request.query_params.get("nonce", "")[:_LONGEST_NONCE]
    told = {"agent": "telephony-agent", "proof": proof(identity, nonce) if identity and nonce else ""}
    return JSONResponse(told, headers={"Cache-Control": "no-store"})
