"""Traces of real calls of two streams: reproduced to the last action, and retold by other rules to their end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from telephony_agent.cli.main import app
from telephony_agent.core.conversation import TurnInput
from telephony_agent.core.trace import Trace, read_trace
from tests.loopback.agent import Agent, running
from tests.loopback.client import calling
from tests.loopback.test_second_streams import SHORT, SID, again, asks_for_a_person, cut, form_to, parts, path_of

Scenario = Callable[[Agent], Coroutine[Any, Any, None]]


def traced(scenario: Scenario, folder: Path, *words: str) -> tuple[Path, Trace]:
    """Have a call with an agent that keeps traces; return its trace."""
    with running(replace(parts(folder / "data", *words), trace_dir=folder / "traces")) as agent:
        asyncio.run(scenario(agent))
    (path,) = (folder / "traces").iterdir()
    with path.open(encoding="utf-8") as lines:
        return path, read_trace(lines)


async def comes_back(agent: Agent, document: str) -> None:
    """Come back on another stream, hear what we say to that, say something, and hang up."""
    async with again(agent, document) as client:
        await client.hears()
        await client.says()
        await client.hears()
        await client.stop()
        await client.closed()


async def is_cut_off(agent: Agent) -> None:
    async with calling(agent, SID) as client:
        await client.hears()
        await client.says()
        await client.hears()
        cut(client)
    await comes_back(agent, await form_to(agent, "/twilio/stream-ended"))


async def finds_nobody(agent: Agent) -> None:
    dial = await asks_for_a_person(agent)
    await comes_back(agent, await form_to(agent, path_of(dial.get("action")), DialCallStatus="busy"))


def replayed(path: Path) -> str:
    """Return what is shown of a call that is reproduced, and retold by another rule than its own."""
    command = ["replay", str(path), "--set", "reprompt_after_s=9"]
    shown = CliRunner().invoke(app, command, env={"COLUMNS": "250"}, catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    return shown.output


def heard(trace: Trace) -> list[str]:
    return [turn.reply_heard for turn in trace.turns or ()]


def test_a_call_whose_line_broke_is_replayed_in_both_streams(tmp_path: Path) -> None:
    path, trace = traced(is_cut_off, tmp_path, "how much is it", "and how long does it take")
    assert len(trace.streams) == 2
    assert TurnInput.RETURN in [turn.input for turn in trace.turns or ()]
    shown = replayed(path)
    assert "every action as recorded" in shown
    assert "Ended by: caller" in shown
    assert "Note" not in shown
    for words in (SHORT.reconnected, "and how long does it take"):
        assert words in shown


def test_a_call_that_no_person_took_is_replayed_in_both_streams(tmp_path: Path) -> None:
    path, trace = traced(finds_nobody, tmp_path, "can I talk to a real person", "tomorrow at ten in the morning")
    assert len(trace.streams) == 2
    assert SHORT.untaken in heard(trace)
    shown = replayed(path)
    assert "every action as recorded" in shown
    assert "Ended by: caller" in shown
    assert "Note" not in shown
    assert "tomorrow at ten in the morning" in shown
