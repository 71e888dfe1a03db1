"""The way from public URLs to the agent on loopback."""

from __future__ import annotations

import pytest

from telephony_agent.simulator.tunnel import Tunnel, WebSocketTarget

TUNNEL = Tunnel("https://agent.example/", "http://127.0.0.1:8080")


def test_a_path_gets_its_public_url() -> None:
    assert TUNNEL.public("/twilio/voice") == "https://agent.example/twilio/voice"


def test_a_url_under_the_public_base_leads_to_loopback_with_the_public_host() -> None:
    assert TUNNEL.http("https://agent.example/a?b=1") == ("http://127.0.0.1:8080/a?b=1", "agent.example")


def test_any_other_url_is_left_alone() -> None:
    assert TUNNEL.http("https://elsewhere.example/a") == ("https://elsewhere.example/a", "elsewhere.example")
    assert TUNNEL.websocket("wss://elsewhere.example/a") == WebSocketTarget("wss://elsewhere.example/a")


@pytest.mark.parametrize(
    ("local", "target"),
    [
        ("http://127.0.0.1:8080", WebSocketTarget("ws://agent.example/media", "127.0.0.1", 8080)),
        ("https://127.0.0.1", WebSocketTarget("wss://agent.example/media", "127.0.0.1", 443)),
    ],
)
def test_a_stream_under_the_public_base_leads_to_loopback_too(local: str, target: WebSocketTarget) -> None:
    assert Tunnel("https://agent.example", local).websocket("wss://agent.example/media") == target
