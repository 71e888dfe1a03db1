"""A tool on the phone: the real server, a real socket, a function of a user's module."""

from __future__ import annotations

import asyncio

from telephony_agent.engines.scripted import ScriptedResponder, ScriptedSynthesizer, ScriptedTranscriber
from telephony_agent.live.tool_room import Toolbox, ToolRoom
from tests.loopback.agent import Agent, Parts, running
from tests.loopback.client import call_sid, calling, wait_for

CALL = '<tool_call>\n{"name": "find_order", "arguments": {"number": 7}}\n</tool_call>'


def test_a_caller_hears_what_the_users_function_found() -> None:
    responder = ScriptedResponder([CALL], otherwise="It was sent.")
    parts = Parts(
        ScriptedTranscriber(otherwise="where is my order"), responder, ScriptedSynthesizer(ms_per_character=30)
    )

    async def scenario(agent: Agent) -> None:
        async with calling(agent, call_sid()) as client:
            await client.hears()
            await client.says()
            await client.hears()
            await client.stop()
            await client.closed()

    with running(parts) as agent:
        agent.room.tools = ToolRoom(Toolbox.load(["tests.live.shop:find_order"]))
        asyncio.run(scenario(agent))
        wait_for(lambda: agent.account(call_sid())["state"] == "ended")
        assert "It was sent." in agent.account(call_sid())["turns"][-1]["reply_heard"]
    *_, asked, told = responder.prompts[-1]
    assert asked["content"] == CALL
    assert told["role"] == "tool"
    assert '"state": "sent"' in told["content"]
