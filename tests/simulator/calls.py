"""The vocabulary of the twin's tests: calls to a scripted agent, in real time that is kept short."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from telephony_agent.simulator import Behaviour, CallResult, Code, Faults, Pace, PlacedCall, Script, place_call
from telephony_agent.simulator.script import HangUpStep, Step, WaitStep
from tests.simulator.scripted_agent import PUBLIC, TOKEN, Agent, Leg

QUICK = Pace(upgrade_ms=0, stop_ms=0, reconnect_ms=0, say_ms_per_word=0, pause_ms_per_s=0, dialled_ms=0)


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 20))


async def call(agent: Agent, *steps: Step, faults: Faults | None = None, **changes: Any) -> CallResult:
    script = Script("test", steps, patience_ms=100, give_up_ms=3000)
    behaviour = Behaviour(faults or Faults(), QUICK)
    return await place_call(replace(PlacedCall(script, agent.url, PUBLIC, TOKEN, behaviour=behaviour), **changes))


async def listens(leg: Leg) -> None:
    await leg.until_closed()


async def greets_and_closes(leg: Leg) -> None:
    await leg.until("start")
    await leg.speak(200, "greeting")
    await leg.until("mark")
    await leg.websocket.close()


def hangs_up_after(ms: int) -> tuple[Step, ...]:
    return (WaitStep(ms), HangUpStep(after_reply=False))


def codes(result: CallResult) -> list[Code]:
    return [notice.code for notice in result.notices]
