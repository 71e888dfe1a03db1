"""The agent as a child process: what the user learns when it does not get ready."""

from __future__ import annotations

import asyncio

import pytest

from telephony_agent.simulator.agent_process import AgentStartError, Credentials, running_agent


async def start(ready_within_s: float) -> None:
    async with running_agent(Credentials(), ready_within_s=ready_within_s):
        raise AssertionError("it must not get ready")


def test_an_agent_that_ends_before_it_is_ready_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_LOG_LEVEL", "deafening")
    with pytest.raises(AgentStartError) as error:
        asyncio.run(start(60))
    assert "ended with code 2 before it was ready" in str(error.value)
    assert "AGENT_LOG_LEVEL='deafening'" in str(error.value)


def test_an_agent_that_is_not_ready_in_time_is_stopped() -> None:
    with pytest.raises(AgentStartError, match="was not ready within 0 s"):
        asyncio.run(start(0))


def test_every_simulation_has_secrets_of_its_own() -> None:
    one, other = Credentials(), Credentials()
    assert one.auth_token != other.auth_token
    assert one.api_token != other.api_token
    assert (one.account_sid[:2], len(one.account_sid)) == ("AC", 34)
