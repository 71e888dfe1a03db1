"""Calls by text in which the model calls tools: the same rules as on the phone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from telephony_agent.core.events import EndReason
from telephony_agent.engines.scripted import ScriptedResponder
from telephony_agent.live.lanes import Lane
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.text_call import TextCall, TextTerms
from telephony_agent.live.text_desk import TextDesk
from telephony_agent.live.tool_room import Toolbox, ToolRoom
from telephony_agent.sales.lead import Lead
from telephony_agent.sales.phrasebook import Phrasebook
from telephony_agent.sales.slots import SlotState
from telephony_agent.sales.values import SlotName
from tests.loopback.agent import PLAYBOOK

from . import shop

TOOLS = (
    *("end_call", "schedule_callback", "send_information"),
    *(f"{shop.__name__}:{name}" for name in ("find_order", "wait")),
)
ANNA = Lead(name="Anna Miller", phone="+12125550199")
NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
PATIENCE_S = 20.0


def calls(name: str, arguments: str = "{}", words: str = "") -> str:
    return f'{words}<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>'


def hold(
    scenario: Callable[[TextCall], Awaitable[None]], *replies: str, deadline_s: float = PATIENCE_S
) -> ScriptedResponder:
    """Hold a call in which the model says these replies."""
    lane, tools = Lane("respond"), ToolRoom(Toolbox.load(TOOLS), deadline_s=deadline_s)
    responder = ScriptedResponder(replies)
    terms = TextTerms(responder, lane, PATIENCE_S, Phrasebook.shipped(), tools=tools, clock=lambda: NOW)

    async def run() -> None:
        desk = TextDesk(SalesDesk(PLAYBOOK.model_copy(update={"tools": TOOLS})), terms)
        async with asyncio.timeout(PATIENCE_S):
            await scenario(desk.start(ANNA))
        desk.close()

    try:
        asyncio.run(run())
    finally:
        tools.close()
        lane.close()
        lane.join(1.0)
    return responder


async def says(call: TextCall, words: str) -> str:
    return await call.take(words).text()


def test_a_function_of_the_users_is_called_and_its_result_is_worded() -> None:
    async def scenario(call: TextCall) -> None:
        assert await says(call, "where is my order seven") == "Let me look. Order seven was sent."

    responder = hold(scenario, calls("find_order", '{"number": "7"}', "Let me look. "), "Order seven was sent.")
    *_, asked, told = responder.prompts[-1]
    assert (
        asked["content"]
        == 'Let me look.\n<tool_call>\n{"name": "find_order", "arguments": {"number": "7"}}\n</tool_call>'
    )
    assert told["role"] == "tool"
    assert '"state": "sent"' in told["content"]


def test_a_function_that_fails_leaves_the_word_to_the_model() -> None:
    async def scenario(call: TextCall) -> None:
        assert await says(call, "where is my order") == "I can't look that up now."

    hold(scenario, calls("find_order", '{"number": -1}'), "I can't look that up now.")


def test_a_function_that_hangs_does_not_hang_the_call() -> None:
    async def scenario(call: TextCall) -> None:
        assert await says(call, "where is my order") == "That takes too long."

    with shop.closed():
        hold(scenario, calls("wait"), "That takes too long.", deadline_s=0.05)


def test_the_built_in_tools_follow_the_guide() -> None:
    async def scenario(call: TextCall) -> None:
        read_back = await says(call, "I have no time for this now")
        assert "Thursday, November 26, at 3:30 in the afternoon. Is that right?" in read_back
        assert call.guide.state.slots[SlotName.CALLBACK].state is SlotState.EMPTY
        await says(call, "yes")
        assert call.guide.state.slots[SlotName.CALLBACK].state is SlotState.CONFIRMED
        assert await says(call, "and send me something about prices") == "What is your e-mail address?"
        assert call.guide.state.to_send == ()
        assert await says(call, "oh no that was all") == "Thank you."
        assert call.end_reason is EndReason.AGENT

    hold(
        scenario,
        calls("schedule_callback", '{"when": "Thursday at three thirty in the afternoon"}'),
        *(calls("send_information", '{"topic": "prices"}'), "What is your e-mail address?"),
        calls("end_call", words="Thank you. "),
    )


def test_what_is_sent_is_in_the_outcome() -> None:
    async def scenario(call: TextCall) -> None:
        await says(call, "my email is anna at example dot com")
        await says(call, "yes that's right")
        await says(call, "please send me your prices")
        call.end(EndReason.CALLER)
        assert call.outcome is not None
        assert call.outcome.told["information"] == "prices"

    hold(scenario, "Thank you.", calls("send_information", '{"topic": "prices"}'), "It is on its way.")


def test_a_call_may_end_while_a_tool_is_at_work() -> None:
    async def scenario(call: TextCall) -> None:
        answer = call.take("where is my order")
        while not call.conversation.turns[-1].tools:  # noqa: ASYNC110 - the call has no event to wait for
            await asyncio.sleep(0)
        call.end(EndReason.CALLER)
        assert await answer.text() == ""

    with shop.closed():
        hold(scenario, calls("wait"))
