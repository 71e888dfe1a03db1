"""Calls that outlive a stream: handed over to a person who takes them or doesn't, and cut off in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest

from telephony_agent.engines.scripted import ScriptedResponder, ScriptedSynthesizer, ScriptedTranscriber
from telephony_agent.live import second_streams
from telephony_agent.sales.playbook import Playbook
from telephony_agent.simulator import Behaviour, Faults, Pace, Parties, PlacedCall, Script, place_call
from telephony_agent.simulator.faults import Dialled
from telephony_agent.simulator.script import SayStep, WaitStep
from tests.loopback.agent import AUTH_TOKEN, PLAYBOOK, PUBLIC_URL, Agent, Parts, running
from tests.loopback.client import Client, call_sid, calling, connected, post, wait_for

pytestmark = pytest.mark.long

PERSON = "+15005550006"
SHORT: Playbook = PLAYBOOK.model_copy(
    update={
        "greeting": "An AI of Bluefinch.",
        "goodbye": "Bye.",
        "transfer": "One moment.",
        "untaken": "Nobody is free. When may we call you back?",
        "reconnected": "Where were we?",
        "fault_goodbye": "I must go.",
    }
)
SID = call_sid(1)


def parts(folder: Path, *words: str, person: str = PERSON, record: bool = False) -> Parts:
    """Parts of which the transcriber understands these words, one after the other."""
    return Parts(
        ScriptedTranscriber(["", *words], otherwise="how much is it"),  # the first is spent in warming up
        ScriptedResponder(otherwise="I see. What else?"),
        ScriptedSynthesizer(ms_per_character=15),
        playbook=SHORT,
        data_dir=folder,
        transfer_number=person,
        record=record,
    )


def element(xml: str, path: str) -> ET.Element:
    found = ET.fromstring(xml).find(path)
    assert found is not None, xml
    return found


def path_of(url: str | None) -> str:
    parts = urlsplit(url or "")
    return f"{parts.path}?{parts.query}"


@asynccontextmanager
async def again(agent: Agent, xml: str) -> AsyncIterator[Client]:
    """Open the stream that a document asks for."""
    parameters = {str(p.get("name")): str(p.get("value")) for p in element(xml, "Connect/Stream").iter("Parameter")}
    async with connected(agent, SID) as client:
        await client.start(parameters)
        yield client


async def asks_for_a_person(agent: Agent) -> ET.Element:
    """Have a call to the point where Twilio dials the person; return ``<Dial>``."""
    async with calling(agent, SID) as client:
        await client.hears()
        await client.says()
        await client.hears()
        await client.closed()
    answer = await asyncio.to_thread(post, agent, "/twilio/stream-ended", {"CallSid": SID})
    return element(answer.text, "Dial")


async def form_to(agent: Agent, path: str, **form: str) -> str:
    answer = await asyncio.to_thread(post, agent, path, {"CallSid": SID, **form})
    assert answer.status_code == 200
    return answer.text


def cut(client: Client) -> None:
    """Break the line as a network does that is gone."""
    client.socket.transport.abort()


def disposition(agent: Agent) -> Any:
    return agent.account(SID)["outcome"]["disposition"]


# A person


def test_a_person_who_presses_the_key_gets_the_caller_and_the_call_counts_as_transferred(tmp_path: Path) -> None:
    async def scenario(agent: Agent) -> None:
        dial = await asks_for_a_person(agent)
        assert agent.account(SID)["state"] == "live"
        number = dial.find("Number")
        assert number is not None
        assert number.text == PERSON
        whisper = await form_to(agent, path_of(number.get("url")), CallSid=call_sid(77))
        told = element(whisper, "Gather/Say").text or ""
        assert "A call for you from a caller. They asked for a person." in told
        joined = await form_to(agent, path_of(element(whisper, "Gather").get("action")), Digits="1")
        assert len(ET.fromstring(joined)) == 0
        assert disposition(agent) == "transferred"
        assert agent.account(SID)["end_reason"] == "transfer"
        over = await form_to(agent, path_of(dial.get("action")), DialCallStatus="completed", DialCallDuration="60")
        assert [verb.tag for verb in ET.fromstring(over)] == ["Hangup"]

    with running(parts(tmp_path, "can I talk to a real person")) as agent:
        asyncio.run(scenario(agent))


@pytest.mark.parametrize("status", ["busy", "no-answer", "failed", "completed"])
def test_a_caller_whom_nobody_took_comes_back_to_the_agent_who_remembers(tmp_path: Path, status: str) -> None:
    async def scenario(agent: Agent) -> None:
        dial = await asks_for_a_person(agent)
        if status == "completed":
            # A mailbox answers, and presses no key; another key is none either.
            declined = await form_to(agent, path_of(element_url(dial)).replace("whisper", "joined"), Digits="2")
            assert [verb.tag for verb in ET.fromstring(declined)] == ["Hangup"]
        back = await form_to(agent, path_of(dial.get("action")), DialCallStatus=status)
        async with again(agent, back) as client:
            await client.hears()
            await client.says()
            await client.hears()
            await client.stop()
            await client.closed()

    with running(parts(tmp_path, "can I talk to a real person", "tomorrow at ten in the morning")) as agent:
        asyncio.run(scenario(agent))
        account = agent.account(SID)
        told = [turn["reply_heard"] for turn in account["turns"]]
        assert told[0] == SHORT.transfer
        assert told[1] == SHORT.untaken
        assert "at 10 in the morning" in told[2]
        assert account["turns"][1]["input"] == "return"
        assert account["outcome"]["disposition"] == "callback"
        assert account["outcome"]["next_step"]["kind"] == "callback"


def element_url(dial: ET.Element) -> str:
    number = dial.find("Number")
    assert number is not None
    return number.get("url") or ""


@pytest.mark.parametrize("taken", [True, False])
def test_after_a_fault_a_person_is_told_of_the_call_and_who_gets_none_hears_a_goodbye(
    tmp_path: Path, taken: bool
) -> None:
    async def scenario(agent: Agent) -> None:
        async with calling(agent, SID) as client:
            await client.hears()
            assert agent.site.switchboard is not None
            call = agent.site.switchboard.find(SID)
            assert call is not None
            assert call.leg is not None
            agent.loop.call_soon_threadsafe(call.leg.tell, None)  # type: ignore[arg-type]  # which is no event
            await client.closed()
        answer = await form_to(agent, "/twilio/stream-ended")
        assert [verb.tag for verb in ET.fromstring(answer)] == ["Say", "Dial", "Hangup"]
        dial = element(answer, "Dial")
        whisper = await form_to(agent, path_of(element_url(dial)), CallSid=call_sid(77))
        assert "A call for you from a caller. Our talk with them broke off" in (
            element(whisper, "Gather/Say").text or ""
        )
        if taken:
            await form_to(agent, path_of(element(whisper, "Gather").get("action")), Digits="1")
        over = await form_to(agent, path_of(dial.get("action")), DialCallStatus="completed")
        assert [verb.tag for verb in ET.fromstring(over)] == (["Hangup"] if taken else ["Say", "Hangup"])

    with running(parts(tmp_path)) as agent:
        asyncio.run(scenario(agent))
        assert agent.account(SID)["end_reason"] == "fault"


def test_who_hangs_up_while_the_person_is_rung_is_not_transferred(tmp_path: Path) -> None:
    async def scenario(agent: Agent) -> None:
        await asks_for_a_person(agent)
        await asyncio.to_thread(
            post, agent, "/twilio/status", {"CallSid": SID, "CallStatus": "completed", "SequenceNumber": "3"}
        )

    with running(parts(tmp_path, "can I talk to a real person")) as agent:
        asyncio.run(scenario(agent))
        assert agent.account(SID)["end_reason"] == "caller"
        assert disposition(agent) == "hung_up"


def test_a_call_of_which_no_word_comes_while_a_person_is_rung_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_streams, "PERSON_S", 0.2)
    with running(parts(tmp_path, "can I talk to a real person")) as agent:
        asyncio.run(asks_for_a_person(agent))
        wait_for(lambda: agent.account(SID)["state"] == "ended")
        assert disposition(agent) != "transferred"


def test_what_a_caller_says_names_nobody_to_dial(tmp_path: Path) -> None:
    with running(parts(tmp_path, "connect me with a real person at plus one nine hundred five five five")) as agent:
        dial = asyncio.run(asks_for_a_person(agent))
        assert "".join(dial.itertext()).strip() == PERSON


def test_with_the_twin_a_dial_in_vain_ends_in_a_call_back(tmp_path: Path) -> None:
    words = "can I talk to a real person", "tomorrow at ten in the morning", "yes", "goodbye"
    with running(parts(tmp_path, *words)) as agent:
        parties = Parties()
        call = PlacedCall(
            Script("wants a person", tuple(SayStep((text,)) for text in words)),
            *(agent.url, PUBLIC_URL, AUTH_TOKEN, parties),
            behaviour=Behaviour(pace=Pace(reconnect_ms=50, dialled_ms=50), dialled=Dialled("busy")),
        )
        result = asyncio.run(place_call(call))
        assert [type(verb).__name__ for verb in result.verbs] == ["Connect", "Dial", "Connect", "Hangup"]
        assert agent.account(parties.call_sid)["outcome"]["disposition"] == "callback"


# The line


def test_a_caller_who_was_cut_off_comes_back_to_a_call_that_remembers_everything(tmp_path: Path) -> None:
    async def scenario(agent: Agent) -> None:
        async with calling(agent, SID) as client:
            await client.hears()
            await client.says()
            await client.hears()
            cut(client)
        back = await form_to(agent, "/twilio/stream-ended")
        assert agent.account(SID)["outcome"] is None
        async with again(agent, back) as client:
            await client.hears()
            await client.says()
            await client.hears()
            await client.stop()
            await client.closed()

    with running(parts(tmp_path, "how much is it", "and for two", record=True)) as agent:
        asyncio.run(scenario(agent))
        account = agent.account(SID)
        assert [turn["transcript"] for turn in account["turns"]] == ["how much is it", "", "and for two"]
        assert account["turns"][1]["reply_heard"] == SHORT.reconnected
        assert account["ended_by"] == "caller"
        assert account["outcome"]["disposition"] != "failed"
        assert agent.site.store is not None
        recordings = agent.site.store.recordings
        wait_for(lambda: not recordings.growing(SID))
        assert len(recordings.paths(SID)) == 2
        ended = agent.site.metrics.registry.get_sample_value
        assert ended("telephony_agent_calls_ended_total", {"reason": "caller"}) == 1
        assert ended("telephony_agent_calls_ended_total", {"reason": "line"}) is None
        assert ended("telephony_agent_calls_live") == 0


def test_a_caller_who_does_not_come_back_is_waited_for_and_concluded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_streams, "RECONNECT_S", 0.3)

    async def scenario(agent: Agent) -> None:
        async with calling(agent, SID) as client:
            await client.hears()
            cut(client)

    with running(parts(tmp_path)) as agent:
        asyncio.run(scenario(agent))
        wait_for(lambda: agent.account(SID)["state"] == "ended")
        account = agent.account(SID)
        assert (account["end_reason"], account["outcome"]["disposition"]) == ("line", "failed")
        assert "<Dial" in post(agent, "/twilio/stream-ended", {"CallSid": SID}).text


def test_the_line_of_a_call_may_break_once(tmp_path: Path) -> None:
    """The twin cuts every stream of the call: the second time there is a person."""
    with running(parts(tmp_path)) as agent:
        parties = Parties()
        call = PlacedCall(
            Script("cut off", (WaitStep(10_000),), give_up_ms=20_000, patience_ms=15_000),
            *(agent.url, PUBLIC_URL, AUTH_TOKEN, parties),
            behaviour=Behaviour(Faults(reset_after_ms=1500), Pace(reconnect_ms=50, say_ms_per_word=0, dialled_ms=50)),
        )
        result = asyncio.run(place_call(call))
        assert len(result.streams) == 2
        assert [type(verb).__name__ for verb in result.verbs] == [
            *("Connect", "Connect", "Say", "Dial", "Say", "Hangup")
        ]
        account = agent.account(parties.call_sid)
        assert account["end_reason"] == "line"
        assert [turn["input"] for turn in account["turns"]] == ["return"]


def test_twilios_word_that_the_stream_is_over_may_come_before_the_socket_ends(tmp_path: Path) -> None:
    async def scenario(agent: Agent) -> None:
        async with calling(agent, SID) as client:
            await client.hears()
            back = await form_to(agent, "/twilio/stream-ended")
            async with again(agent, back) as second:
                await second.hears()
                await second.stop()
                await second.closed()

    with running(parts(tmp_path)) as agent:
        asyncio.run(scenario(agent))
        assert agent.account(SID)["end_reason"] == "caller"


def test_the_token_of_a_second_stream_is_used_once(tmp_path: Path) -> None:
    async def scenario(agent: Agent) -> None:
        async with calling(agent, SID) as client:
            await client.hears()
            cut(client)
        back = await form_to(agent, "/twilio/stream-ended")
        async with again(agent, back) as client:
            await client.hears()
            async with again(agent, back) as thief:
                assert (await thief.closed())[0] == 1008
            await client.stop()
            await client.closed()

    with running(parts(tmp_path)) as agent:
        asyncio.run(scenario(agent))
        assert agent.account(SID)["end_reason"] == "caller"


def test_after_a_fault_of_ours_nobody_is_called_back_in(tmp_path: Path) -> None:
    async def scenario(agent: Agent) -> None:
        async with calling(agent, SID) as client:
            await client.hears()
            assert agent.site.switchboard is not None
            call = agent.site.switchboard.find(SID)
            assert call is not None
            assert call.leg is not None
            agent.loop.call_soon_threadsafe(call.leg.tell, None)  # type: ignore[arg-type]  # which is no event
            await client.closed()
        answer = await form_to(agent, "/twilio/stream-ended")
        assert "<Connect" not in answer

    with running(parts(tmp_path, person="")) as agent:
        asyncio.run(scenario(agent))
        assert agent.account(SID)["end_reason"] == "fault"
