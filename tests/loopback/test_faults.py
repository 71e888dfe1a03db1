"""What happens to a call when an engine fails or hangs, when the caller leaves, and when another call is there."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from telephony_agent.core.call_terms import CallRules
from telephony_agent.engines.scripted import (
    Hold,
    ScriptedResponder,
    ScriptedSynthesizer,
    ScriptedTranscriber,
)
from telephony_agent.errors import ResponseError, SynthesisError, TranscriptionError
from telephony_agent.live import second_streams
from telephony_agent.live.announcing import render_announcements
from telephony_agent.live.engine_room import Deadlines
from telephony_agent.live.sales_desk import SalesDesk
from tests.loopback.agent import PLAYBOOK, Agent, Parts, running
from tests.loopback.client import Client, ask_for_stream, call_sid, calling, post, wait_for

pytestmark = pytest.mark.long

SHORT = PLAYBOOK.model_copy(
    update={
        "greeting": "An AI of Bluefinch.",
        "apology": "Sorry, again?",
        "fault_goodbye": "I must go.",
        "not_understood": "Pardon?",
    }
)
QUICK = Deadlines(transcribe_s=0.5, respond_s=0.5, synthesize_s=0.5)
UNHURRIED = CallRules(speculations=0)
"""No reply is begun ahead: one that fails while it is held is asked for again, and nobody hears of it."""


def turns_of(agent: Agent, number: int = 1) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = agent.account(call_sid(number))["turns"]
    return turns


async def converse(agent: Agent, turns: int, number: int = 1, says_s: float = 0.8) -> None:
    """Hold a call of so many caller turns and hang up; each turn waits until the agent's reply has been played."""
    async with calling(agent, call_sid(number)) as client:
        await client.hears()
        for _ in range(turns):
            await client.says(says_s)
            await client.hears()
        await client.stop()
        await client.closed()


def failing(stage: str, step: Exception | Hold) -> Parts:
    """Parts of which one engine fails at the first turn, and works from then on."""
    script = ScriptedTranscriber([step] if stage == "transcribe" else [], otherwise="hello there")
    responder = ScriptedResponder([step] if stage == "respond" else [], otherwise="I see.")
    rehearsal = ScriptedSynthesizer(ms_per_character=30)
    render_announcements(SalesDesk(SHORT), rehearsal)
    announced = [""] * len(rehearsal.spoken)
    synthesizer = ScriptedSynthesizer([*announced, step] if stage == "synthesize" else [], ms_per_character=30)
    return Parts(WarmedTranscriber(script), responder, synthesizer, deadlines=QUICK, rules=UNHURRIED, playbook=SHORT)


class WarmedTranscriber:
    """Keeps the script from being used up by the server's warm-up, which transcribes silence."""

    def __init__(self, inner: ScriptedTranscriber) -> None:
        self._inner = inner
        self._warm = False

    def warm(self) -> None:
        pass

    def transcribe(self, pcm: bytes, sample_rate: int) -> Any:
        if not self._warm:
            self._warm = True
            return ScriptedTranscriber().transcribe(pcm, sample_rate)
        return self._inner.transcribe(pcm, sample_rate)


STAGES: dict[str, Exception] = {
    "transcribe": TranscriptionError("no ears"),
    "respond": ResponseError("no mind"),
    "synthesize": SynthesisError("no voice"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_an_engine_that_fails_costs_an_apology_and_the_call_goes_on(stage: str) -> None:
    with running(failing(stage, STAGES[stage])) as agent:
        asyncio.run(converse(agent, 2))
        first, second = turns_of(agent)
        assert first["reply_heard"] == SHORT.apology
        assert second["reply_heard"] == "I see."


@pytest.mark.parametrize("stage", STAGES)
def test_an_engine_that_hangs_costs_an_apology_and_the_call_goes_on(stage: str) -> None:
    hold = Hold()
    with running(failing(stage, hold)) as agent:
        try:
            asyncio.run(converse(agent, 1))
            assert turns_of(agent)[0]["reply_heard"] == SHORT.apology
        finally:
            hold.release.set()


def test_an_engine_that_hangs_is_given_a_new_thread_and_the_next_call_works() -> None:
    hold = Hold()
    with running(failing("respond", hold)) as agent:
        try:
            asyncio.run(converse(agent, 1, number=1))
            wait_for(lambda: agent.room.responding.lost == 1)
            asyncio.run(converse(agent, 1, number=2))
            assert turns_of(agent, 2)[0]["reply_heard"] == "I see."
        finally:
            hold.release.set()


def test_three_failures_end_the_call_with_words_and_then_a_person() -> None:
    parts = Parts(
        transcriber=ScriptedTranscriber(otherwise="hello"),
        responder=ScriptedResponder([ResponseError("no mind")] * 3),
        synthesizer=ScriptedSynthesizer(ms_per_character=30),
        rules=UNHURRIED,
        playbook=SHORT,
        transfer_number="+15005550006",
    )

    async def scenario(agent: Agent) -> None:
        async with calling(agent, call_sid()) as client:
            await client.hears()
            for _ in range(3):
                await client.says()
                await client.hears()
            assert (await client.closed())[0] == 1000

    with running(parts) as agent:
        asyncio.run(scenario(agent))
        account = agent.account(call_sid())
        assert (account["ended_by"], account["end_reason"]) == ("agent", "fault")
        answer = post(agent, "/twilio/stream-ended", {"CallSid": call_sid()})
        assert "<Dial" in answer.text
        assert "+15005550006" in answer.text


MOMENTS: dict[str, Callable[[Client], Any]] = {
    "greeting": lambda client: client.until("media"),
    "speech": lambda client: client.says(0.5, 0.0),
    "pause": lambda client: client.says(0.5, 0.3),
    "thinking": lambda client: client.says(0.5, 0.7),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("politely", [True, False])
def test_a_caller_may_leave_at_any_moment(moment: str, politely: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_streams, "RECONNECT_S", 0.1)
    parts = Parts(
        ScriptedTranscriber(otherwise="hello", delay_s=0.1),
        ScriptedResponder(otherwise="I see what you mean.", delay_s=0.05),
        ScriptedSynthesizer(ms_per_character=30),
        playbook=SHORT,
    )

    async def scenario(agent: Agent) -> None:
        async with calling(agent, call_sid()) as client:
            if moment != "greeting":
                await client.hears()
            await MOMENTS[moment](client)
            if politely:
                await client.stop()
                await client.closed()
            else:
                client.socket.transport.abort()

    with running(parts) as agent:
        asyncio.run(scenario(agent))
        wait_for(lambda: agent.account(call_sid())["state"] == "ended")
        assert agent.account(call_sid())["end_reason"] == ("caller" if politely else "line")


def test_two_calls_at_once_hear_only_their_own_words() -> None:
    seen: list[str] = []

    def reply(messages: Any) -> str:
        seen.append(messages[-1]["content"])
        return f"You said {messages[-1]['content']}."

    class ByLength:
        """Understands how long an utterance was, so that the two callers say different things."""

        def warm(self) -> None:
            pass

        def transcribe(self, pcm: bytes, sample_rate: int) -> Any:
            word = "long" if len(pcm) / 2 / sample_rate > 1.6 else "short"
            return ScriptedTranscriber([word]).transcribe(pcm, sample_rate)

    parts = Parts(ByLength(), ScriptedResponder(reply), ScriptedSynthesizer(ms_per_character=20), playbook=SHORT)

    async def scenario(agent: Agent) -> None:
        await asyncio.gather(converse(agent, 3, number=1, says_s=0.6), converse(agent, 3, number=2, says_s=2.0))

    with running(parts) as agent:
        asyncio.run(scenario(agent))
        assert {turn["reply_heard"] for turn in turns_of(agent, 1)} == {"You said short."}
        assert {turn["reply_heard"] for turn in turns_of(agent, 2)} == {"You said long."}
        assert sorted(seen) == ["long"] * 3 + ["short"] * 3


def test_a_call_too_many_is_told_so_and_harms_nobody() -> None:
    with running(Parts(max_calls=1)) as agent:
        ask_for_stream(agent, call_sid(1))
        answer = post(agent, "/twilio/voice", {"CallSid": call_sid(2)})
        assert answer.status_code == 200
        assert "<Stream" not in answer.text
        ask_for_stream(agent, call_sid(1))


def test_a_caller_who_says_nothing_is_left_politely() -> None:
    parts = Parts(synthesizer=ScriptedSynthesizer(ms_per_character=5), rules=CallRules(reprompt_after_s=0.3))

    async def scenario(agent: Agent) -> int:
        async with calling(agent, call_sid()) as client:
            for _ in range(4):
                await client.hears()
            return (await client.closed())[0]

    with running(parts) as agent:
        assert asyncio.run(scenario(agent)) == 1000
        assert agent.account(call_sid())["end_reason"] == "silence"


def test_after_the_last_call_everything_is_back_to_base() -> None:
    parts = Parts(
        ScriptedTranscriber(otherwise="hello"),
        ScriptedResponder(otherwise="I see."),
        ScriptedSynthesizer(ms_per_character=20),
        playbook=SHORT,
    )
    before = threading.active_count()
    with running(parts) as agent:
        asyncio.run(converse(agent, 1, number=1))
        base = census(agent)
        for number in range(2, 8):
            asyncio.run(converse(agent, 1, number=number))
        wait_for(lambda: census(agent) == base)
    assert threading.active_count() == before


def census(agent: Agent) -> tuple[int, int, int]:
    """Count tasks of the server's loop, threads and open descriptors of the process."""

    async def tasks() -> int:
        return len(asyncio.all_tasks()) - 1

    counted = asyncio.run_coroutine_threadsafe(tasks(), agent.loop).result(5)
    return counted, threading.active_count(), len(list(Path(f"/proc/{os.getpid()}/fd").iterdir()))
