"""The switchboard: places, tokens, and taking leave of everybody at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from telephony_agent.core.call_terms import CallRules
from telephony_agent.engines.scripted import (
    LevelVoiceDetector,
    ScriptedResponder,
    ScriptedSynthesizer,
    ScriptedTranscriber,
)
from telephony_agent.live import switchboard as module
from telephony_agent.live.engine_room import Deadlines, EngineRoom, Engines, render_announcements
from telephony_agent.live.switchboard import Switchboard
from telephony_agent.sales.phrasebook import Phrasebook
from tests.loopback.agent import PLAYBOOK


def with_switchboard(scenario: Callable[[Switchboard], Awaitable[None]], *, max_calls: int = 2) -> None:
    synthesizer = ScriptedSynthesizer(ms_per_character=5)
    room = EngineRoom(Engines(ScriptedTranscriber(), ScriptedResponder(), synthesizer, LevelVoiceDetector), Deadlines())
    announcements = render_announcements(PLAYBOOK, synthesizer)

    async def run() -> None:
        await scenario(Switchboard(room, announcements, "You are Ava.", Phrasebook(), CallRules(), max_calls=max_calls))

    try:
        asyncio.run(run())
    finally:
        room.close()


def expect(switchboard: Switchboard, sid: str) -> str | None:
    return switchboard.expect(sid, direction="inbound", from_number="+15005550006", to_number="+15005550006")


def test_places_are_held_from_the_webhook_on() -> None:
    async def scenario(switchboard: Switchboard) -> None:
        assert expect(switchboard, "CA1")
        assert expect(switchboard, "CA2")
        assert expect(switchboard, "CA3") is None

    with_switchboard(scenario)


def test_a_place_whose_stream_never_came_is_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOKEN_LIFE_S", -1.0)

    async def scenario(switchboard: Switchboard) -> None:
        for number in range(5):
            assert expect(switchboard, f"CA{number}")

    with_switchboard(scenario, max_calls=1)


def test_a_final_status_frees_the_place_of_a_call_that_never_streamed() -> None:
    async def scenario(switchboard: Switchboard) -> None:
        assert expect(switchboard, "CA1")
        switchboard.note_status("CA1", "completed", 3)
        assert expect(switchboard, "CA2")

    with_switchboard(scenario, max_calls=1)


def test_while_it_drains_no_call_is_taken() -> None:
    async def scenario(switchboard: Switchboard) -> None:
        assert switchboard.ready
        await switchboard.drain(1.0)
        assert not switchboard.ready

    with_switchboard(scenario)


def test_only_the_last_calls_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_CALLS", 3)

    async def scenario(switchboard: Switchboard) -> None:
        for number in range(6):
            assert expect(switchboard, f"CA{number}")
            switchboard.note_status(f"CA{number}", "completed", 1)
        assert switchboard.find("CA0") is None
        assert switchboard.find("CA5") is not None

    with_switchboard(scenario)
