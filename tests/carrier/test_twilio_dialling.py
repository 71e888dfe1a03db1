"""Placing a call: what is sent, and that whatever Twilio does no call is dialled twice."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Iterator
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony_agent.carrier.carrier import Carrier, MachineDetection, PlacedCall, StatusEvent
from telephony_agent.carrier.twilio_rest import TwilioCarrier
from telephony_agent.errors import CarrierError, CarrierRejected, CarrierUnreachable, LocalProtocolError
from tests.carrier.line import BASE, DIAL, DONE_UNCLEAR, UNCLEAR, Line, opened
from tests.carrier.twilio_server import AGENT, CALLEE, Step, World

T = TypeVar("T")


def test_a_call_is_placed_with_all_that_it_needs(line: Line) -> None:
    placed = line.create(
        replace(DIAL, detection=MachineDetection.END, detection_url=f"{BASE}/twilio/amd", ring_timeout_s=25)
    )
    assert placed.sid == line.world.calls[0]["sid"]
    assert (placed.status, placed.is_over, placed.created_at) == ("queued", False, None)
    assert line.world.seen[0].fields == {
        "To": [CALLEE],
        "From": [AGENT],
        "Url": [DIAL.voice_url],
        "Method": ["POST"],
        "StatusCallback": [DIAL.status_url],
        "StatusCallbackMethod": ["POST"],
        "StatusCallbackEvent": ["initiated", "ringing", "answered", "completed"],
        "MachineDetection": ["DetectMessageEnd"],
        "AsyncAmd": ["true"],
        "AsyncAmdStatusCallback": [f"{BASE}/twilio/amd"],
        "AsyncAmdStatusCallbackMethod": ["POST"],
        "Timeout": ["25"],
        "TimeLimit": ["1800"],
    }


def test_without_machine_detection_nothing_is_said_of_it(line: Line) -> None:
    line.create(replace(DIAL, status_events=(StatusEvent.COMPLETED,)))
    assert not [name for name in line.world.seen[0].fields if "Amd" in name or "Machine" in name]
    assert line.world.seen[0].fields["StatusCallbackEvent"] == ["completed"]


@pytest.mark.parametrize("wrong", [{"call_id": ""}, {"detection": MachineDetection.START}, {"ring_timeout_s": 601}])
def test_a_dial_that_cannot_be_placed_is_refused_before_anything_is_sent(wrong: dict[str, object]) -> None:
    with pytest.raises(LocalProtocolError):
        replace(DIAL, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("step", DONE_UNCLEAR)
def test_a_call_that_was_placed_without_a_usable_answer_is_found_in_the_list(line: Line, step: Step) -> None:
    line.world.then(step)
    assert line.create().sid == line.world.calls[0]["sid"]
    assert line.world.asked("POST") == ["/Calls.json"]
    assert line.pauses == [1.0]


@pytest.mark.parametrize("step", UNCLEAR)
def test_a_call_that_is_not_listed_is_unclear_and_never_dialled_again(line: Line, step: Step) -> None:
    line.world.then(step)

    async def twice(carrier: Carrier) -> None:
        for _ in range(2):
            with pytest.raises(CarrierUnreachable, match="don't dial again: no call is listed") as unreachable:
                await carrier.create(DIAL)
            assert unreachable.value.unclear

    line.run(twice)
    assert line.world.asked("POST") == ["/Calls.json"]
    assert line.pauses == [1.0, 5.0, 1.0, 5.0]


def test_a_call_that_is_listed_late_is_found_by_a_repeat(line: Line) -> None:
    line.world.then(Step.CUT)

    async def late(carrier: Carrier) -> PlacedCall:
        with pytest.raises(CarrierUnreachable):
            await carrier.create(DIAL)
        line.world.add_call()
        return await carrier.create(DIAL)

    assert line.run(late).sid == line.world.calls[0]["sid"]
    assert len(line.world.asked("POST")) == 1


def test_a_call_that_is_placed_is_returned_again(line: Line) -> None:
    async def at_once(carrier: Carrier) -> list[PlacedCall]:
        return await asyncio.gather(*(carrier.create(DIAL) for _ in range(3)))

    assert len({placed.sid for placed in line.run(at_once)}) == len(line.world.calls) == 1


def test_other_calls_to_the_same_number_are_not_taken_for_ours(line: Line) -> None:
    line.world.add_call(age_s=3600)
    line.world.add_call(direction="inbound")
    line.world.add_call(to="+12125550143")
    line.world.add_call(status="completed", date_created=None)

    async def two(carrier: Carrier) -> tuple[PlacedCall, PlacedCall]:
        first = await carrier.create(DIAL)
        line.world.then(Step.DONE_CUT)
        return first, await carrier.create(replace(DIAL, call_id="call-2"))

    first, second = line.run(two)
    assert [first.sid, second.sid] == [call["sid"] for call in line.world.calls[-2:]]


def test_of_several_calls_that_could_be_ours_none_is_taken(line: Line) -> None:
    line.world.add_call()
    line.world.then(Step.DONE_CUT)
    with pytest.raises(CarrierUnreachable, match="several calls could be this one") as unreachable:
        line.create()
    assert unreachable.value.unclear


def test_a_list_that_cannot_be_read_leaves_it_unclear(line: Line) -> None:
    line.world.then(Step.DONE_CUT, *[Step.BAD] * 2)
    with pytest.raises(CarrierUnreachable, match="the call list can't be read") as unreachable:
        line.create()
    assert unreachable.value.unclear


def test_a_refused_call_may_be_dialled_again(line: Line) -> None:
    line.world.then(Step.BAD)

    async def mended(carrier: Carrier) -> PlacedCall:
        with pytest.raises(CarrierRejected) as refused:
            await carrier.create(DIAL)
        assert (refused.value.carrier_code, refused.value.http_status) == (21211, 400)
        return await carrier.create(DIAL)

    assert line.run(mended).sid == line.world.calls[0]["sid"]


def test_a_dialling_that_is_cancelled_is_only_looked_for_afterwards(line: Line) -> None:
    line.world.then(Step.DONE_SLOW)

    async def cancelled(carrier: Carrier) -> PlacedCall:
        dialling = asyncio.create_task(carrier.create(DIAL))
        await asyncio.to_thread(line.world.asked_once.wait)
        dialling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dialling
        return await carrier.create(DIAL)

    assert line.run(cancelled).sid == line.world.calls[0]["sid"]
    assert len(line.world.asked("POST")) == 1


def test_where_nobody_listens_nothing_was_sent_and_it_is_clear() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    line = Line(World(), f"http://127.0.0.1:{port}")
    with pytest.raises(
        CarrierUnreachable, match="nobody can be reached there; look at AGENT_TWILIO_API_URL"
    ) as unreachable:
        line.create()
    assert not unreachable.value.unclear
    assert line.pauses == [0.5, 1.0, 2.0]


@pytest.fixture(scope="module")
def dialler() -> Iterator[tuple[Line, TwilioCarrier, Iterator[int]]]:
    """One line and one carrier for many examples, and numbers that tell them apart: an example may answer late."""
    with opened() as line:
        carrier = line.carrier()
        yield line, carrier, itertools.count()
        line.world.release()
        asyncio.run(carrier.aclose())


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.sampled_from(Step), max_size=6), tries=st.integers(1, 3))
def test_whatever_twilio_does_a_dial_places_at_most_one_call(
    dialler: tuple[Line, TwilioCarrier, Iterator[int]], steps: list[Step], tries: int
) -> None:
    line, carrier, examples = dialler
    example = next(examples)
    dial = replace(DIAL, call_id=f"call-{example}", to_number=f"+1{212 + example // 100}55501{example % 100:02}")
    line.world.release()
    line.world.then(*steps)
    for _ in range(tries):
        placed, error = asyncio.run(outcome(carrier.create(dial)))
        sids = [call["sid"] for call in line.world.calls if call["to"] == dial.to_number]
        assert len(sids) <= 1
        if placed is not None:
            assert sids == [placed.sid]
        elif not (isinstance(error, CarrierUnreachable) and error.unclear):
            assert sids == []


async def outcome(asked: Awaitable[T]) -> tuple[T | None, CarrierError | None]:
    try:
        return await asked, None
    except CarrierError as error:
        return None, error
