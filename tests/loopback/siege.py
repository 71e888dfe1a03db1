"""An agent under attack, and a neighbour on the line meanwhile: what is broken on purpose costs it nothing."""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from collections.abc import Awaitable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from telephony_agent.core.call_terms import CallRules
from telephony_agent.engines.scripted import ScriptedResponder, ScriptedSynthesizer, ScriptedTranscriber
from telephony_agent.live.engine_room import Deadlines, speak
from tests.loopback.agent import API_TOKEN, Agent, Parts, running
from tests.loopback.client import call_sid, calling, post, wait_for
from tests.loopback.test_faults import SHORT

FRESH = count(5000)
REPLY = "I see what you mean by that."
MS_PER_CHARACTER = 15
AUTHORIZED = {"Authorization": f"Bearer {API_TOKEN}"}


UNHURRIED = CallRules(filler_after_s=60.0, reprompt_after_s=60.0)
"""However busy the machine is, the neighbour hears the same words."""


@contextmanager
def besieged() -> Iterator[Agent]:
    """Serve a call as it is, and as many others beside it as come."""
    parts = Parts(
        ScriptedTranscriber(otherwise="hello there"),
        ScriptedResponder(otherwise=REPLY),
        ScriptedSynthesizer(ms_per_character=MS_PER_CHARACTER),
        deadlines=Deadlines(60.0, 60.0, 60.0),
        rules=UNHURRIED,
        playbook=SHORT,
        max_calls=0,
    )
    with running(parts) as agent:
        yield agent


class Tape(deque[dict[str, Any]]):
    """A telephone's unplayed messages, which also keeps all that came."""

    def __init__(self) -> None:
        super().__init__()
        self.audio = bytearray()
        self.clears = 0

    def append(self, message: dict[str, Any]) -> None:
        super().append(message)
        if message["event"] == "media":
            self.audio += base64.b64decode(message["media"]["payload"])
        self.clears += message["event"] == "clear"


@dataclass(frozen=True, slots=True)
class Told:
    """What a call was: the words of both sides, and every byte that was heard."""

    words: tuple[tuple[str, str], ...]
    audio: bytes
    clears: int


async def neighbour(agent: Agent, going_on: asyncio.Event) -> Told:
    """Hold a call of two turns at least, and of as many as it takes until what goes on beside it is over."""
    sid = call_sid(next(FRESH))
    tape = Tape()
    async with calling(agent, sid) as client:
        client.unplayed = tape
        await client.hears()
        for turn in count(1):
            await client.says()
            await client.hears()
            if turn >= 2 and not going_on.is_set():
                break
        await client.stop()
        await client.closed()
    turns = (await asyncio.to_thread(agent.account, sid))["turns"]
    return Told(tuple((turn["transcript"], turn["reply_heard"]) for turn in turns), bytes(tape.audio), tape.clears)


async def beside_a_neighbour(agent: Agent, hostilities: Awaitable[None]) -> None:
    """Let hostilities happen while a call goes on, and see that it heard and was heard whole."""
    going_on = asyncio.Event()
    going_on.set()
    call = asyncio.create_task(neighbour(agent, going_on))
    try:
        await hostilities
    finally:
        going_on.clear()
        told = await call
    turns = len(told.words)
    greeting, reply = (spoken(text) for text in (SHORT.greeting, REPLY))
    assert told == Told((("hello there", REPLY),) * turns, greeting + reply * turns, 0)


def spoken(text: str) -> bytes:
    """Return what a phrase sounds like, on the wire."""
    return speak(ScriptedSynthesizer(ms_per_character=MS_PER_CHARACTER), text, lambda: False)


def hang_up(agent: Agent, sid: str) -> None:
    """Let the carrier say that a call is over, as it does for every call, whatever became of its stream."""
    assert post(agent, "/twilio/status", {"CallSid": sid, "CallStatus": "completed", "SequenceNumber": "99"}).is_success


def all_over(agent: Agent, sids: Iterable[str]) -> None:
    """See that no call and no stream is left."""
    for sid in sids:
        wait_for(lambda sid=sid: agent.account(sid)["state"] == "ended")
    wait_for(lambda: agent.site.metrics.registry.get_sample_value("telephony_agent_calls_live") == 0)
