"""Whole calls of the twin's with a scripted agent: a real server, a real socket, real time (kept short)."""

from __future__ import annotations

import asyncio

import numpy as np

from telephony_agent.simulator import Code, EndedBy, EventKind, Parties
from telephony_agent.simulator.script import HangUpStep, KeysStep
from telephony_agent.simulator.twiml import Connect, Hangup
from tests.simulator.calls import call, codes, greets_and_closes, hangs_up_after, listens, run
from tests.simulator.scripted_agent import Leg, serving, tone


def test_a_call_goes_from_the_webhook_to_the_completed_callback() -> None:
    async def story() -> None:
        async with serving(greets_and_closes) as agent:
            result = await call(agent)
        assert (result.ended_by, codes(result)) == (EndedBy.AGENT, [Code.CLOSED])
        assert [request.path for request in agent.requests if request.path != "/twilio/status"] == [
            "/twilio/voice",
            "/twilio/stream-ended",
        ]
        statuses = [request.form for request in agent.requests if request.path == "/twilio/status"]
        assert [form["CallStatus"] for form in statuses] == ["initiated", "ringing", "in-progress", "completed"]
        assert [form["SequenceNumber"] for form in statuses] == ["0", "1", "2", "3"]
        assert all(request.genuine for request in agent.requests)
        assert {request.form["CallSid"] for request in agent.requests} == {result.call_sid}
        assert (statuses[-1]["Duration"], statuses[-1]["SipResponseCode"]) == ("1", "200")
        assert [type(verb) for verb in result.verbs] == [Connect, Hangup]

    run(story())


def test_the_voice_webhook_is_twilios_to_the_header() -> None:
    async def story() -> None:
        async with serving(listens) as agent:
            await call(agent, *hangs_up_after(20))
        voice = next(request for request in agent.requests if request.path == "/twilio/voice")
        assert (voice.form["CallStatus"], voice.form["Direction"]) == ("ringing", "inbound")
        assert voice.form["CallerCity"] == ""
        assert voice.headers["user-agent"] == "TwilioProxy/1.1"
        assert voice.headers["host"] == "agent.example"
        assert len(voice.headers["i-twilio-idempotency-token"]) == 36

    run(story())


def test_the_upgrade_offers_nothing_that_twilio_does_not() -> None:
    async def story() -> None:
        async with serving(listens) as agent:
            await call(agent, *hangs_up_after(20))
        (leg,) = agent.legs
        assert leg.headers["user-agent"] == "Twilio.TmeWs/1.0"
        assert leg.headers["host"] == "agent.example"
        assert not leg.headers.keys() & {"origin", "sec-websocket-extensions", "sec-websocket-protocol"}

    run(story())


def test_the_stream_starts_at_once_and_its_frames_come_at_their_pace() -> None:
    async def story() -> None:
        async with serving(listens) as agent:
            result = await call(agent, *hangs_up_after(600))
        (leg,) = agent.legs
        assert [message["event"] for message in leg.messages[:3]] == ["connected", "start", "media"]
        assert leg.messages[-1]["event"] == "stop"
        assert leg.messages[1]["start"]["customParameters"] == {"token": "one-use"}
        assert [int(message["sequenceNumber"]) for message in leg.messages[1:]] == list(range(1, len(leg.messages)))
        times = [int(message["media"]["timestamp"]) for message in leg.sent("media")]
        assert times[0] == 155
        assert all(abs(time - 155 - 20 * number) <= 1 for number, time in enumerate(times))
        assert len(result.caller) == len(result.agent) == (len(times) + 8) * 160
        assert (result.ended_by, result.end_reason) == (EndedBy.CALLER, "the caller hung up")

    run(story())


def test_what_the_agent_sends_is_heard_and_its_marks_come_back_when_it_has_played() -> None:
    async def speaks(leg: Leg) -> None:
        await leg.until("start")
        await leg.speak(300, "one")
        await leg.speak(200, "two")
        await leg.until_closed()

    async def story() -> None:
        async with serving(speaks) as agent:
            result = await call(agent, *hangs_up_after(900))
        (stream,) = result.streams
        assert np.count_nonzero(stream.agent) > 0.9 * 500 * 8
        assert [mark.name for mark in stream.marks] == ["one", "two"]
        first, second = (mark.echoed_ms for mark in stream.marks)
        assert first is not None
        assert second is not None
        assert first >= 300
        assert second >= 500
        assert [message["mark"]["name"] for message in agent.legs[0].sent("mark")] == ["one", "two"]

    run(story())


def test_clear_stops_the_playout_and_returns_the_marks() -> None:
    async def clears(leg: Leg) -> None:
        await leg.until("start")
        await leg.speak(5000, "never heard")
        await leg.until("media", 10)
        await leg.send("clear")
        await leg.until("mark")
        await leg.websocket.close()

    async def story() -> None:
        async with serving(clears) as agent:
            result = await call(agent)
        (stream,) = result.streams
        (cleared,) = stream.clears
        assert cleared.at + cleared.samples >= 5000 * 8
        assert np.count_nonzero(stream.agent) <= cleared.at
        assert EventKind.CLEARED in [event.kind for event in result.events]

    run(story())


def test_a_malformed_message_is_warned_about_and_the_call_goes_on() -> None:
    async def errs(leg: Leg) -> None:
        await leg.until("start")
        await leg.send("media", media={"playload": "/w=="})
        await leg.websocket.send_bytes(b"\x00")
        await greets_and_closes_after_start(leg)

    async def greets_and_closes_after_start(leg: Leg) -> None:
        await leg.speak(40, "on")
        await leg.until("mark")
        await leg.websocket.close()

    async def story() -> None:
        async with serving(errs) as agent:
            result = await call(agent)
        assert codes(result) == [Code.INVALID_MESSAGE, Code.MALFORMED_MESSAGE, Code.CLOSED]
        assert [notice.code for notice in result.warnings] == [Code.INVALID_MESSAGE, Code.MALFORMED_MESSAGE]

    run(story())


def test_keys_reach_the_agent() -> None:
    async def greets(leg: Leg) -> None:
        await leg.until("start")
        await leg.speak(100)
        await leg.until("dtmf", 2)
        await leg.speak(100)
        await leg.until_closed()

    async def story() -> None:
        async with serving(greets) as agent:
            result = await call(agent, KeysStep("9#"), HangUpStep())
        assert [message["dtmf"]["digit"] for message in agent.legs[0].sent("dtmf")] == ["9", "#"]
        (turn,) = result.streams[0].turns
        (times,) = result.streams[0].measures.turns
        assert turn.keys
        assert times.gap_ms is not None
        assert result.said_everything

    run(story())


def test_what_the_agent_left_unplayed_when_it_closed_is_counted() -> None:
    async def closes_early(leg: Leg) -> None:
        await leg.until("start")
        await leg.speak(2000)
        await leg.until("media", 5)
        await leg.websocket.close()

    async def story() -> None:
        async with serving(closes_early) as agent:
            result = await call(agent)
        assert 1000 < result.streams[0].unplayed_ms < 2000

    run(story())


def test_an_outbound_call_is_in_progress_when_the_webhook_comes() -> None:
    async def story() -> None:
        async with serving(listens) as agent:
            await call(agent, *hangs_up_after(20), parties=Parties(direction="outbound-api"))
        voice = next(request for request in agent.requests if request.path == "/twilio/voice")
        assert (voice.form["CallStatus"], voice.form["Direction"]) == ("in-progress", "outbound-api")

    run(story())


def test_ten_minutes_of_audio_are_the_limit() -> None:
    async def floods(leg: Leg) -> None:
        await leg.until("start")
        for _ in range(11):
            await leg.speak(60_000)
        await leg.send("mark", mark={"name": "end"})
        await leg.until("media", 10)
        await leg.send("clear")
        await leg.until("mark")
        await leg.websocket.close()

    async def story() -> None:
        async with serving(floods) as agent:
            result = await call(agent)
        assert codes(result) == [Code.MEDIA_DISCARDED, Code.CLOSED]

    run(story())


def test_two_calls_at_once_stay_apart() -> None:
    async def story() -> None:
        async with serving(greets_and_closes) as agent:
            one, other = await asyncio.gather(call(agent), call(agent))
        assert one.call_sid != other.call_sid
        assert one.streams[0].stream_sid != other.streams[0].stream_sid
        assert len(tone(200)) == 1600
        assert all(np.count_nonzero(result.agent) <= 1600 for result in (one, other))

    run(story())
