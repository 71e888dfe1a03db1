"""An agent beside its twin; what they do together is tested with agents that are quicker to start."""

from __future__ import annotations

import asyncio

import pytest

from telephony_agent.simulator import Callee
from telephony_agent.simulator.agent_process import AgentStartError
from telephony_agent.simulator.twin_and_agent import twin_and_agent


def test_an_agent_that_does_not_start_is_quoted_and_its_twin_is_gone() -> None:
    async def start() -> None:
        async with twin_and_agent(Callee("anybody"), environment={"AGENT_LOG_LEVEL": "deafening"}):
            raise AssertionError("it must not get ready")

    with pytest.raises(AgentStartError, match="AGENT_LOG_LEVEL='deafening'"):
        asyncio.run(start())
