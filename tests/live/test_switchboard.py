"""The switchboard: places, tokens, and taking leave of everybody at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest
from loguru import logger

from telephony_agent.core.call_terms import CallRules
from telephony_agent.engines.scripted import (
    LevelVoiceDetector,
    ScriptedResponder,
    ScriptedSynthesizer,
    ScriptedTranscriber,
)
from telephony_agent.live import places as module
from telephony_agent.live import switchboard as switchboard_module
from telephony_agent.live.announcing import render_announcements
from telephony_agent.live.call import CallTerms
from telephony_agent.live.capacity import Rehearsal
from telephony_agent.live.engine_room import Deadlines, EngineRoom, Engines
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.switchboard import Switchboard
from telephony_agent.live.watch import Watch
from telephony_agent.sales.phrasebook import Phrasebook
from telephony_agent.telemetry import Metrics
from tests.loopback.agent import PLAYBOOK

if TYPE_CHECKING:
    from loguru import Record


def with_switchboard(
    scenario: Callable[[Switchboard], Awaitable[None]],
    *,
    max_calls: int = 2,
    rehearsal: Rehearsal | None = None,
    metrics: Metrics | None = None,
) -> None:
    synthesizer = ScriptedSynthesizer(ms_per_character=5)
    room = EngineRoom(Engines(ScriptedTranscriber(), ScriptedResponder(), synthesizer, LevelVoiceDetector), Deadlines())
    room.capacity.rehearsed(rehearsal or Rehearsal())
    announcements = render_announcements(SalesDesk(PLAYBOOK), synthesizer)

    async def run() -> None:
        await scenario(
            Switchboard(
                room,
                CallTerms(announcements, Phrasebook.shipped(), "You are Ava.", CallRules()),
                max_calls=max_calls,
                watch=Watch(metrics or Metrics()),
            )
        )

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


def refused(metrics: Metrics, reason: str) -> float | None:
    return metrics.registry.get_sample_value("telephony_agent_calls_refused_total", {"reason": reason})


def test_a_call_beyond_the_cap_is_counted_as_such() -> None:
    metrics = Metrics()

    async def scenario(switchboard: Switchboard) -> None:
        assert expect(switchboard, "CA1")
        assert expect(switchboard, "CA2") is None

    with_switchboard(scenario, max_calls=1, metrics=metrics)
    assert (refused(metrics, "max_calls"), refused(metrics, "engines")) == (1, None)


def test_without_a_cap_fast_engines_take_many_calls() -> None:
    async def scenario(switchboard: Switchboard) -> None:
        for number in range(10):
            assert expect(switchboard, f"CA{number}")

    with_switchboard(scenario, max_calls=0, rehearsal=Rehearsal(0.03, 0.1, 0.01))


def test_slow_engines_take_one_call_whatever_the_cap_and_say_why_not_a_second() -> None:
    metrics = Metrics()
    records: list[Record] = []
    sink = logger.add(lambda message: records.append(message.record), level="WARNING")

    async def scenario(switchboard: Switchboard) -> None:
        assert expect(switchboard, "CA1")
        assert expect(switchboard, "CA2") is None
        assert expect(switchboard, "CA1"), "a repeated webhook keeps its place"
        switchboard.note_status("CA1", "completed", 1)
        assert expect(switchboard, "CA2")

    try:
        with_switchboard(scenario, max_calls=10, rehearsal=Rehearsal(0.4, 3.0, 0.2), metrics=metrics)
    finally:
        logger.remove(sink)
    assert refused(metrics, "engines") == 1
    (record,) = records
    assert record["message"] == "A call was turned away: the engines have no time for it"
    assert record["extra"]["call_sid"] == "CA2"
    assert record["extra"]["respond_wait_ms"] > record["extra"]["allowed_wait_ms"]


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


def test_a_call_whose_stream_is_on_its_way_is_waited_for_when_the_server_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switchboard_module, "LINGER_S", 0.0)

    async def scenario(switchboard: Switchboard) -> None:
        assert expect(switchboard, "CA1")
        draining = asyncio.create_task(switchboard.drain(600.0))
        await asyncio.sleep(0)
        assert not draining.done()
        assert switchboard.places_taken == 1
        switchboard.note_status("CA1", "completed", 3)
        async with asyncio.timeout(30):
            await draining

    with_switchboard(scenario)


def test_a_call_whose_stream_never_came_is_given_up_although_nobody_else_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOKEN_LIFE_S", -1.0)
    monkeypatch.setattr(switchboard_module, "TOKEN_LIFE_S", -1.0)

    async def scenario(switchboard: Switchboard) -> None:
        assert expect(switchboard, "CA1")
        call = switchboard.find("CA1")
        assert call is not None
        async with asyncio.timeout(30):
            await call.over.wait()
        assert switchboard.find("CA1") is None

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
