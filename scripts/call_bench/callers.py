"""The callers of the bench: what they say, how one call goes, and what would be wrong with it."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import numpy as np

from telephony_agent.simulator.agent_process import PUBLIC_URL
from telephony_agent.simulator.call import CallResult, PlacedCall, place_call
from telephony_agent.simulator.caller import Caller, Cue
from telephony_agent.simulator.faults import Behaviour, Pace
from telephony_agent.simulator.noises import level_dbov
from telephony_agent.simulator.orders import EndedBy
from telephony_agent.simulator.script import HangUpStep, SayStep, Script, WaitStep

SHORT_LINE_S, LONG_LINE_S = 0.4, 1.0
TALK_TURNS = 3
QUICK = Behaviour(pace=Pace(upgrade_ms=0, stop_ms=0))
_SILENCE_DBOV = -60.0


def line(seconds: float) -> Cue:
    """Make a line of the caller's: a tone is all that the scripted engines need."""
    samples = np.arange(round(seconds * 8000 / 160) * 160)
    return Cue(SayStep((f"{seconds} s of speech",)), (8000 * np.sin(2 * np.pi * 300 * samples / 8000)).astype(np.int16))


def cue(step: WaitStep | HangUpStep) -> Cue:
    """Make a step that has no sound."""
    return Cue(step, np.zeros((step.ms if isinstance(step, WaitStep) else 0) * 8, np.int16))


HANGS_UP_ON_THE_GREETING = (cue(WaitStep(300)), cue(HangUpStep(after_reply=False)))
TALKS_ONCE = (line(SHORT_LINE_S), cue(HangUpStep()))
TALKS = (*(line(LONG_LINE_S) for _ in range(TALK_TURNS)), cue(HangUpStep()))


async def one_call(
    url: str, auth_token: str, cues: Sequence[Cue], seed: int, client: httpx.AsyncClient | None = None
) -> CallResult:
    """Live one call to its end."""
    script = Script("bench", tuple(cue.step for cue in cues), patience_ms=400, give_up_ms=10_000)
    call = PlacedCall(script, url, PUBLIC_URL, auth_token, behaviour=QUICK, seed=seed)
    return await place_call(call, caller=Caller(script, cues, seed), client=client)


def flaw(result: CallResult) -> str:
    """Say what was wrong with a call; empty: nothing."""
    if not result.streams:
        return f"no stream: {result.end_reason}"
    if level_dbov(result.agent) < _SILENCE_DBOV:
        return "the greeting was not heard"
    if not result.said_everything:
        return result.gave_up or f"cut short: {result.end_reason}"
    if result.ended_by is not EndedBy.CALLER:
        return f"ended by {result.ended_by}: {result.end_reason}"
    rejected = [str(notice) for stream in result.streams for notice in stream.rejected]
    return rejected[0] if rejected else ""
