"""``GET /.well-known/telephony-agent``: only a server with the asker's identity can prove it."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from telephony_agent.carrier.twiml import TwimlDocuments
from telephony_agent.web.app import create_app
from telephony_agent.web.identity import WELL_KNOWN, proof
from telephony_agent.web.site import Site


def asked(identity: bytes, query: str) -> dict[str, Any]:
    """Ask a server with an identity."""
    app = create_app(Site("https://agent.example", None, TwimlDocuments(), identity=identity))

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="https://agent.example") as client:
            return await client.get(WELL_KNOWN + query)

    answer = asyncio.run(get())
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    told: dict[str, Any] = answer.json()
    return told


def test_a_nonce_is_answered_with_its_proof() -> None:
    told = asked(b"one", "?nonce=abc")
    assert told == {"agent": "telephony-agent", "proof": proof(b"one", "abc")}
    assert told["proof"] not in (proof(b"two", "abc"), proof(b"one", "abd"))


@pytest.mark.parametrize(("identity", "query"), [(b"", "?nonce=abc"), (b"one", ""), (b"one", "?nonce=")])
def test_without_an_identity_or_a_nonce_nothing_is_proved(identity: bytes, query: str) -> None:
    assert asked(identity, query)["proof"] == ""
