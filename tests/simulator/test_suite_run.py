"""Placing the suite's calls: one after the other, side by side, and where the agent has no place."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest

from telephony_agent.simulator import Behaviour, Script, Speaker
from telephony_agent.simulator.script import Expect, HangUpStep, KeysStep, Side
from telephony_agent.simulator.suite import Family, Measure, Played, Scenario, Target, play
from tests.simulator.calls import QUICK, run
from tests.simulator.scripted_agent import PUBLIC, TOKEN, Agent, Leg, serving

pytestmark = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")


async def answers_keys(leg: Leg) -> None:
    await leg.until("start")
    await leg.speak(200)
    await leg.until("dtmf")
    await leg.speak(200)
    await leg.until_closed()


def calls(count: int) -> tuple[Scenario, ...]:
    steps = (KeysStep("1"), HangUpStep())
    scripts = (Script(f"ends {n + 1}", steps, expect=Expect(Side.ANY), patience_ms=100) for n in range(count))
    return tuple(Scenario(Family.ENDS, script, Behaviour(pace=QUICK), 1) for script in scripts)


async def played(agent: Agent, count: int, at_once: int = 1) -> list[Played]:
    target = Target(agent.url, PUBLIC, "AC1", TOKEN, "api")
    return [call async for call in play(calls(count), target, Speaker(), at_once=at_once)]


def names(found: list[Played]) -> Counter[str]:
    return Counter(call.scenario.name for call in found if not call.turned_away)


def test_calls_are_placed_one_after_the_other_in_their_order() -> None:
    async def story() -> None:
        async with serving(answers_keys, places=1) as agent:
            found = await played(agent, 3)
        assert [call.scenario.name for call in found] == ["ends 1", "ends 2", "ends 3"]
        assert not any(call.turned_away for call in found)
        assert all(one.value for call in found for one in call.observations if one.measure is Measure.ANSWERED)

    run(story())


def test_calls_at_once_have_a_line_and_a_stream_each() -> None:
    async def story() -> None:
        async with serving(answers_keys) as agent:
            found = await played(agent, 4, at_once=2)
        assert names(found) == Counter(["ends 1", "ends 2", "ends 3", "ends 4"])
        assert len({call.result.call_sid for call in found}) == len({leg.stream_sid for leg in agent.legs}) == 4

    run(story())


def test_a_call_that_is_turned_away_is_placed_again_when_another_has_ended() -> None:
    async def story() -> None:
        async with serving(answers_keys, places=1) as agent:
            found = await played(agent, 3, at_once=2)
        assert names(found) == Counter(["ends 1", "ends 2", "ends 3"])
        assert [call.turned_away for call in found].count(True) >= 1
        assert all(call.observations == () for call in found if call.turned_away)

    run(story())


@pytest.mark.parametrize("at_once", [1, 2])
def test_where_there_is_no_place_at_all_every_call_is_turned_away_and_the_set_ends(at_once: int) -> None:
    async def story() -> None:
        async with serving(answers_keys, places=0) as agent:
            found = await played(agent, 2, at_once)
        assert all(call.turned_away for call in found)
        assert {call.scenario.name for call in found} == {"ends 1", "ends 2"}

    run(story())


def test_what_the_agent_says_is_measured_with_the_twins_own_voice() -> None:
    async def story() -> None:
        async with serving(answers_keys) as agent:
            turn = {"turn": 1, "input": "dtmf", "started_ms": 0, "ended_ms": 0, "reply": "-", "reply_heard": "-"}
            agent.account = {"greeting": {"text": "Hi.", "heard": "Hi."}, "turns": [turn]}
            (call,) = await played(agent, 1)
        assert [one.value for one in call.observations if one.measure is Measure.HISTORY_DIFFERS] == [0]

    run(story())
