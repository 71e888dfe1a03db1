"""What can go wrong between the twin and an agent, made to go wrong."""

from __future__ import annotations

import asyncio
import itertools

import numpy as np
import pytest

from telephony_agent.simulator import CallbackFault, Code, EndedBy, Faults, SignatureFault
from tests.simulator.calls import call, codes, hangs_up_after, listens, run
from tests.simulator.scripted_agent import HANG_UP, Leg, serving


@pytest.mark.parametrize("fault", [SignatureFault.WRONG, SignatureFault.MISSING, SignatureFault.HTTPS])
def test_a_refused_upgrade_is_a_handshake_error_and_the_action_follows(fault: SignatureFault) -> None:
    async def story() -> None:
        async with serving(listens) as agent:
            result = await call(agent, faults=Faults(stream_signature=fault))
        assert codes(result) == [Code.HANDSHAKE]
        assert "/twilio/stream-ended" in agent.paths()
        assert result.ended_by is EndedBy.ERROR

    run(story())


@pytest.mark.parametrize("fault", [SignatureFault.WRONG, SignatureFault.MISSING])
def test_webhooks_can_be_forged(fault: SignatureFault) -> None:
    async def story() -> None:
        async with serving(listens, voice=HANG_UP) as agent:
            await call(agent, faults=Faults(webhook_signature=fault))
        assert not any(request.genuine for request in agent.requests)

    run(story())


def test_a_webhook_can_come_twice_under_one_idempotency_token() -> None:
    async def story() -> None:
        async with serving(listens, voice=HANG_UP) as agent:
            await call(agent, faults=Faults(double_webhook=True))
        twice = [request for request in agent.requests if request.path == "/twilio/voice"]
        assert len(twice) == 2
        assert len({request.headers["i-twilio-idempotency-token"] for request in twice}) == 1

    run(story())


@pytest.mark.parametrize(
    ("fault", "numbers"),
    [(CallbackFault.REVERSED, ["3", "2", "1", "0"]), (CallbackFault.DOUBLED, ["0", "0", "1", "1", "2", "2", "3", "3"])],
)
def test_status_callbacks_can_come_in_the_wrong_order_or_twice(fault: CallbackFault, numbers: list[str]) -> None:
    async def story() -> None:
        async with serving(listens, voice=HANG_UP) as agent:
            await call(agent, faults=Faults(callbacks=fault))
        statuses = [request.form for request in agent.requests if request.path == "/twilio/status"]
        assert [form["SequenceNumber"] for form in statuses] == numbers

    run(story())


def test_lost_frames_leave_holes_in_the_timestamps_only() -> None:
    async def story() -> None:
        async with serving(listens) as agent:
            await call(agent, *hangs_up_after(600), faults=Faults(lose_media_every=5))
        media = agent.legs[0].sent("media")
        assert [int(message["media"]["chunk"]) for message in media] == list(range(1, len(media) + 1))
        steps = np.diff([int(message["media"]["timestamp"]) for message in media])
        assert {round(step / 20) for step in steps} == {1, 2}

    run(story())


def test_doubled_frames_are_the_same_to_the_byte() -> None:
    async def story() -> None:
        async with serving(listens) as agent:
            await call(agent, *hangs_up_after(400), faults=Faults(double_media_every=3))
        media = agent.legs[0].sent("media")
        assert sum(one == other for one, other in itertools.pairwise(media)) >= 3

    run(story())


def test_a_lost_mark_never_comes_back() -> None:
    async def marks(leg: Leg) -> None:
        await leg.until("start")
        for name in ("one", "two", "three"):
            await leg.speak(20, name)
        await leg.until_closed()

    async def story() -> None:
        async with serving(marks) as agent:
            result = await call(agent, *hangs_up_after(300), faults=Faults(lose_mark=2))
        assert [message["mark"]["name"] for message in agent.legs[0].sent("mark")] == ["one", "three"]
        assert [mark.echoed_ms is None for mark in result.streams[0].marks] == [False, True, False]

    run(story())


def test_a_reset_connection_is_a_broken_pipe_and_the_action_follows() -> None:
    async def story() -> None:
        async with serving(listens) as agent:
            result = await call(agent, faults=Faults(reset_after_ms=200))
        assert codes(result) == [Code.BROKEN_PIPE]
        assert agent.legs[0].sent("stop") == []
        assert "/twilio/stream-ended" in agent.paths()

    run(story())


def test_a_stream_can_start_late() -> None:
    async def gives_up(leg: Leg) -> None:
        await leg.until("connected")
        try:
            await asyncio.wait_for(leg.receive(), 0.1)
        except TimeoutError:
            await leg.websocket.close(1008)

    async def story() -> None:
        async with serving(gives_up) as agent:
            late = await call(agent, faults=Faults(late_start_ms=500))
            never = await call(agent, faults=Faults(never_start=True))
        for result in (late, never):
            assert codes(result) == [Code.CLOSED]
            assert "1008" in result.end_reason

    run(story())
