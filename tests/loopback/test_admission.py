"""The busy document: who gets it is decided by what the engines were measured to take."""

from __future__ import annotations

import asyncio

import pytest

from telephony_agent.carrier.twiml import TwimlDocuments
from telephony_agent.core.call_terms import Announcements, CallRules
from telephony_agent.engines.scripted import ScriptedResponder, ScriptedSynthesizer, ScriptedTranscriber
from telephony_agent.live.announcing import render_announcements
from telephony_agent.live.call import CallTerms
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.sales.phrasebook import Phrasebook
from tests.loopback.agent import PLAYBOOK, Agent, Parts, running
from tests.loopback.client import ask_for_stream, call_sid, connected, post

ANNOUNCEMENTS: Announcements = render_announcements(SalesDesk(PLAYBOOK), ScriptedSynthesizer(ms_per_character=5))
UNCAPPED = 0


def engines(*, word_s: float) -> Parts:
    """Engines that take so long for each word."""
    return Parts(
        ScriptedTranscriber(otherwise="hello"),
        ScriptedResponder(otherwise="I see.", delay_s=word_s),
        ScriptedSynthesizer(ms_per_character=30),
        max_calls=UNCAPPED,
    )


def rehearse(agent: Agent) -> None:
    terms = CallTerms(ANNOUNCEMENTS, Phrasebook.shipped(), PLAYBOOK.system_prompt(), CallRules())
    agent.room.rehearse(terms.opening)


def answer_to(agent: Agent, number: int) -> str:
    """Return the document that a call is answered with."""
    return post(agent, "/twilio/voice", {"CallSid": call_sid(number), "From": "+15005550006"}).text


async def with_one_live(agent: Agent) -> str:
    """Hold a call; return what a second one is answered with meanwhile."""
    parameters = await asyncio.to_thread(ask_for_stream, agent, call_sid(1))
    async with connected(agent, call_sid(1)) as client:
        await client.start(parameters)
        await client.until("mark")
        answer = await asyncio.to_thread(answer_to, agent, 2)
        await client.stop()
        await client.closed()
    return answer


def test_while_slow_engines_serve_a_call_the_second_one_is_told_that_all_lines_are_busy() -> None:
    with running(engines(word_s=0.1)) as agent:
        rehearse(agent)
        assert asyncio.run(with_one_live(agent)) == TwimlDocuments().busy()
        refused = agent.site.metrics.registry.get_sample_value(
            "telephony_agent_calls_refused_total", {"reason": "engines"}
        )
        assert refused == 1
        assert "<Stream" in answer_to(agent, 3), "the first call is over, so there is room"


@pytest.mark.parametrize("word_s", [0.0, 0.005])
def test_fast_engines_serve_a_second_call_beside_the_first(word_s: float) -> None:
    with running(engines(word_s=word_s)) as agent:
        rehearse(agent)
        assert "<Stream" in asyncio.run(with_one_live(agent))
