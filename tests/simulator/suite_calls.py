"""Made-up calls for the suite's tests: tracks whose every onset is known, and the account that goes with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from telephony_agent.simulator import Behaviour, CallResult, EndedBy, Script
from telephony_agent.simulator.account import Account
from telephony_agent.simulator.caller import FRAME, Turn
from telephony_agent.simulator.measure import measure
from telephony_agent.simulator.mulaw import Pcm
from telephony_agent.simulator.playout import Cleared
from telephony_agent.simulator.script import Echo, Expect, KeysStep, SayStep, Side, Step
from telephony_agent.simulator.stream_record import MarkEcho, StreamRecord
from telephony_agent.simulator.suite import Family, Measure, Observation, Played, Scenario, observe
from telephony_agent.simulator.twiml import Connect, Hangup, Say

Spans = Sequence[tuple[int, int]]
GREETING = "Hi, this is Ava of Bluefinch. Do you have a minute?"
"""51 characters; the tests' agent speaks it in 2500 ms."""
ENDED_MS = 12_000
CONNECTED = Connect("wss://agent.example/twilio/media")


def track(spans: Spans) -> Pcm:
    """A track that is loud from and to the given ms."""
    pcm = np.zeros(ENDED_MS * 8, np.int16)
    for start_ms, end_ms in spans:
        time = np.arange((end_ms - start_ms) * 8) / 8000
        pcm[start_ms * 8 : end_ms * 8] = (3000 * np.sin(2 * np.pi * 500 * time)).astype(np.int16)
    return pcm


def told(started_ms: int, ended_ms: int, reply: str = "", heard: str | None = None, **more: Any) -> dict[str, Any]:
    """One turn of the agent's account: speech, its reply heard whole."""
    heard = reply if heard is None else heard
    given = {"input": "speech", "transcript": "words", "interrupted": False, "timings": {"endpoint_ms": 320}}
    return {**given, "started_ms": started_ms, "ended_ms": ended_ms, "reply": reply, "reply_heard": heard, **more}


def account(*turns: Mapping[str, Any], greeting_heard: str = GREETING) -> Account:
    """The agent's account of a call."""
    numbered = tuple({**turn, "turn": number} for number, turn in enumerate(turns, 1))
    return Account(greeting=GREETING, greeting_heard=greeting_heard, turns=numbered)


def played(
    family: Family,
    steps: Sequence[Step],
    *,
    said: Sequence[Spans],
    agent: Spans,
    noise: Spans = (),
    clears: Sequence[int] = (),
    tells: Account | None = None,
    echo: Echo | None = None,
    ended_by: EndedBy = EndedBy.CALLER,
    expect: Expect | None = None,
) -> Played:
    """A call in which the caller said the steps' lines at these times, with these pauses inside them.

    The agent's voice speaks all characters alike, so the ruler is their number.
    """
    speaking = [step for step in steps if isinstance(step, SayStep | KeysStep)]
    turns = tuple(
        Turn(step.text, spans[0][0] * 8 // FRAME, spans[-1][1] * 8 // FRAME, step.answered, isinstance(step, KeysStep))
        for step, spans in zip(speaking, said, strict=True)
    )
    words, voice = track([*(span for spans in said for span in spans), *noise]), track(agent)
    cleared = tuple(Cleared(ms * 8, 100) for ms in clears)
    record = StreamRecord(
        stream_sid="MZ1",
        words=words,
        caller=words,
        agent=voice,
        turns=turns,
        marks=(MarkEcho("one", 100, 2600), MarkEcho("two", 3000, None)),
        clears=cleared,
        warnings=(),
        rejected=(),
        unplayed_ms=0,
        late_ms=3,
        first_timestamp_ms=155,
        measures=measure(words, voice, turns, (), cleared),
    )
    script = Script(f"{family} 1", tuple(steps), echo=echo, expect=expect or Expect(Side.ANY))
    scenario = Scenario(family, script, Behaviour(), 1)
    result = CallResult("CA1", script, ended_by, "over", True, "", 12.0, (record,), (), (), (CONNECTED,), ())
    tells = tells or Account(problem="not asked")
    return Played(scenario, result, tells, observe(scenario, result, tells, len))


def turned_away(family: Family = Family.ENDS) -> Played:
    """A call that the agent had no place for."""
    script = Script(f"{family} 1", ())
    verbs = (Say("We are busy."), Hangup())
    result = CallResult("CA2", script, EndedBy.AGENT, "the TwiML ended the call", False, "", 1.0, (), (), (), verbs, ())
    scenario = Scenario(family, script, Behaviour(), 1)
    tells = Account(problem="the agent's API answered 404")
    return Played(scenario, result, tells, observe(scenario, result, tells, len))


def values(call: Played, measure: Measure) -> list[int]:
    """What a call gave of one measure."""
    return [one.value for one in of(call, measure)]


def of(call: Played, measure: Measure) -> list[Observation]:
    """The observations of one measure."""
    return [one for one in call.observations if one.measure is measure]
