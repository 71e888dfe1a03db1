"""What a simulation shows: from a real call with a scripted agent to the verdict, the table and the JSON object."""

from __future__ import annotations

import asyncio
import io
import json
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from telephony_agent.simulator import Behaviour, CallResult, PlacedCall, Script, place_call, recording
from telephony_agent.simulator.account import Account, AccountClient, read
from telephony_agent.simulator.report import LiveView, Report
from telephony_agent.simulator.script import Expect, HangUpStep, KeysStep, Side, Step
from tests.simulator.calls import QUICK, greets_and_closes, run
from tests.simulator.scripted_agent import PUBLIC, TOKEN, Agent, Leg, serving

ACCOUNT = Account(
    greeting="Hello there.",
    greeting_heard="Hello there.",
    turns=(
        {
            "turn": 1,
            "input": "dtmf",
            "started_ms": 600,
            "ended_ms": 900,
            "transcript": "1",
            "reply": "One.",
            "reply_heard": "One.",
            "interrupted": True,
        },
    ),
)


async def answers_a_key(leg: Leg) -> None:
    await leg.until("start")
    await leg.speak(200)
    await leg.until("dtmf")
    await leg.until("media", 5)
    await leg.speak(200, "reply")
    await leg.until_closed()


async def placed(agent: Agent, expect: Expect, *steps: Step, view: LiveView | None = None) -> CallResult:
    script = Script("test", steps, expect=expect, patience_ms=100, give_up_ms=1500)
    call = PlacedCall(script, agent.url, PUBLIC, TOKEN, behaviour=Behaviour(pace=QUICK))
    return await place_call(call, on_event=view.follow if view else None)


@pytest.fixture(scope="module")
def good_call() -> tuple[CallResult, str]:
    """A call with one answered turn, and what was shown of it."""
    console = Console(file=io.StringIO(), width=120)

    async def story() -> CallResult:
        async with serving(answers_a_key) as agent:
            view = LiveView(console)
            result = await placed(agent, Expect(Side.CALLER), KeysStep("1"), HangUpStep(), view=view)
            view.tell(ACCOUNT)
            return result

    result = asyncio.run(story())
    assert isinstance(console.file, io.StringIO)
    return result, console.file.getvalue()


def shown(report: Report) -> str:
    console = Console(file=io.StringIO(), width=160)
    report.show(console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_object_holds_every_promised_key(good_call: tuple[CallResult, str]) -> None:
    found = json.loads(json.dumps(Report(good_call[0], ACCOUNT, Path("call.wav")).as_json()))
    promised = {"call_sid", "ended_by", "turns", "greeting_ms", "marks", "clears", "warnings", "recording"}
    assert promised <= found.keys()
    assert (found["ended_by"], found["marks"], found["clears"], found["warnings"]) == ("caller", 1, 0, [])
    assert (found["ok"], found["problems"], found["recording"]) == (True, [], "call.wav")
    (turn,) = found["turns"]
    assert {"said", "transcript", "reply_heard", "gap_ms"} <= turn.keys()
    assert (turn["said"], turn["transcript"], turn["reply_heard"]) == ("[keys 1]", "1", "One.")
    assert 0 <= turn["gap_ms"] < 400


def test_the_live_view_tells_who_speaks_and_what_was_understood(good_call: tuple[CallResult, str]) -> None:
    _, view = good_call
    for part in ("rings", "answered", "speaks (greeting after", "caller  [keys 1]", "speaks (gap", "understood: 1"):
        assert part in view
    assert view.index("greeting after") < view.index("[keys 1]") < view.index("(gap")


def test_the_table_shows_what_was_heard_and_how_the_call_ended(good_call: tuple[CallResult, str]) -> None:
    text = shown(Report(good_call[0], ACCOUNT))
    for part in ("[keys 1]", "One. (interrupted)", "Hello there.", "0 clipped runs", "ended by the caller"):
        assert part in text


def test_without_an_account_the_times_are_still_there(good_call: tuple[CallResult, str]) -> None:
    (turn,) = Report(good_call[0], None).as_json()["turns"]
    assert turn["transcript"] is None
    assert turn["gap_ms"] is not None


def test_a_call_that_ended_otherwise_than_intended_is_a_problem() -> None:
    async def story() -> None:
        async with serving(greets_and_closes) as agent:
            report = Report(await placed(agent, Expect(Side.CALLER, utterances=2), KeysStep("1")), None)
        assert report.problems() == (
            "the caller was to end the call, not agent (the agent closed with 1000 (OK))",
            "the call ended before the caller had played its script to the end",
            "the agent spoke 1 times, not 2",
        )
        assert "the caller was to end the call" in shown(report)

    run(story())


def test_another_reason_than_the_intended_one_is_a_problem(good_call: tuple[CallResult, str]) -> None:
    result = replace(good_call[0], script=replace(good_call[0].script, expect=Expect(Side.CALLER, ("goodbye",))))
    assert Report(result, replace(ACCOUNT, end_reason="goodbye")).problems() == ()
    problem = "the agent ended the call for the reason silence, not goodbye"
    assert Report(result, replace(ACCOUNT, end_reason="silence")).problems() == (problem,)


def test_an_agent_that_leaves_a_turn_unanswered_is_a_problem() -> None:
    async def greets_only(leg: Leg) -> None:
        await leg.until("start")
        await leg.speak(200)
        await leg.until_closed()

    async def story() -> None:
        async with serving(greets_only) as agent:
            report = Report(await placed(agent, Expect(Side.ANY), KeysStep("1")), None)
        assert report.problems() == (
            "the caller gave up: the agent was silent for 1500 ms",
            "the agent did not answer '[keys 1]'",
        )

    run(story())


def test_the_agents_account_is_fetched_with_its_token() -> None:
    async def story() -> None:
        async with serving(greets_and_closes) as agent:
            agent.account = {
                "greeting": {"text": "Hello.", "heard": "Hell"},
                "ended_by": "agent",
                "end_reason": "goodbye",
                "turns": [{"turn": 1, "started_ms": 1, "ended_ms": 2}],
            }
            async with AccountClient(agent.url, "api") as client:
                account = await client.fetch("CA1")
            async with AccountClient(agent.url, "wrong") as stranger:
                refused = await stranger.fetch("CA1")
        async with AccountClient(agent.url, "api") as client:
            gone = await client.fetch("CA1")
        assert (account.greeting_heard, account.end_reason, len(account.turns)) == ("Hell", "goodbye", 1)
        assert refused.problem == "the agent's API answered 401"
        assert "did not answer" in gone.problem

    run(story())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"turns": 3}', '{"turns": [{"started_ms": "x"}]}', '{"turns": [1]}'])
def test_an_account_that_is_not_as_agreed_is_a_problem_and_no_crash(text: str) -> None:
    assert "something else than a call" in read(text).problem


def test_a_recording_has_the_caller_left_and_the_agent_right(tmp_path: Path) -> None:
    caller, agent = np.array([1, 2, 3], np.int16), np.array([-1, -2, -3], np.int16)
    recording.write(tmp_path / "call.wav", caller, agent)
    with wave.open(str(tmp_path / "call.wav")) as file:
        parameters: Any = file.getparams()
        frames = np.frombuffer(file.readframes(3), "<i2").reshape(-1, 2)
    assert parameters[:3] == (2, 2, 8000)
    assert frames.tolist() == [[1, -1], [2, -2], [3, -3]]
