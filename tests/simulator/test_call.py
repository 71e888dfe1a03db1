"""Whole calls of the twin's with a scripted agent: a real server, a real socket, real time (kept short)."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from telephony_agent.simulator import (
    Behaviour,
    CallbackFault,
    CallResult,
    Code,
    Dialled,
    EndedBy,
    EventKind,
    Faults,
    Pace,
    Parties,
    PlacedCall,
    Script,
    SignatureFault,
    place_call,
)
from telephony_agent.simulator.script import HangUpStep, KeysStep, Step, WaitStep
from telephony_agent.simulator.twiml import Connect, Dial, Hangup, Say
from tests.simulator.scripted_agent import CONNECT, HANG_UP, PUBLIC, TOKEN, Agent, Leg, serving, tone

QUICK = Pace(upgrade_ms=0, stop_ms=0, reconnect_ms=0, say_ms_per_word=0, pause_ms_per_s=0, dialled_ms=0)


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 20))


async def call(agent: Agent, *steps: Step, faults: Faults | None = None, **changes: Any) -> CallResult:
    script = Script("test", steps, patience_ms=100, give_up_ms=3000)
    behaviour = Behaviour(faults or Faults(), QUICK)
    return await place_call(replace(PlacedCall(script, agent.url, PUBLIC, TOKEN, behaviour=behaviour), **changes))


async def listens(leg: Leg) -> None:
    await leg.until_closed()


async def greets_and_closes(leg: Leg) -> None:
    await leg.until("start")
    await leg.speak(200, "greeting")
    await leg.until("mark")
    await leg.websocket.close()


def hangs_up_after(ms: int) -> tuple[Step, ...]:
    return (WaitStep(ms), HangUpStep(after_reply=False))


def codes(result: CallResult) -> list[Code]:
    return [notice.code for notice in result.notices]


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


# What follows <Connect>, and other verbs


def test_without_an_action_the_next_verb_follows_and_a_second_stream_may_come() -> None:
    bare = re.sub(r' action="[^"]*"', "", CONNECT).replace("</Response>", "<Pause/>") + CONNECT.removeprefix(
        "<Response>"
    )

    async def story() -> None:
        async with serving(greets_and_closes, voice=bare) as agent:
            result = await call(agent)
        assert len(result.streams) == len(agent.legs) == 2
        assert len(result.agent) == sum(len(stream.agent) for stream in result.streams)
        assert agent.paths().count("/twilio/stream-ended") == 1

    run(story())


def test_redirect_say_and_dial_are_obeyed_until_hangup() -> None:
    voice = '<Response><Redirect method="GET">/twilio/second</Redirect></Response>'
    second = '<Response><Say>One moment</Say><Dial action="/twilio/dialled">+15005550006</Dial><Hangup/></Response>'

    async def story() -> None:
        async with serving(listens, voice=voice, second=second, dialled=HANG_UP) as agent:
            behaviour = Behaviour(pace=QUICK, dialled=Dialled("completed", 30))
            result = await call(agent, behaviour=behaviour)
        assert [type(verb).__name__ for verb in result.verbs] == ["Redirect", "Say", "Dial", "Hangup"]
        assert isinstance(result.verbs[1], Say)
        assert isinstance(result.verbs[2], Dial)
        dialled = next(request for request in agent.requests if request.path == "/twilio/dialled")
        assert (dialled.form["DialCallStatus"], dialled.form["DialCallDuration"]) == ("completed", "30")
        assert (result.ended_by, result.streams) == (EndedBy.AGENT, ())

    run(story())


def test_a_stream_reports_itself_where_the_twiml_asks_it_to() -> None:
    voice = CONNECT.replace("<Stream ", '<Stream name="talk" statusCallback="/twilio/stream" ')

    async def story() -> None:
        async with serving(greets_and_closes, voice=voice) as agent:
            result = await call(agent)
            refused = await call(agent, faults=Faults(stream_signature=SignatureFault.MISSING))
        reports = [request.form for request in agent.requests if request.path == "/twilio/stream"]
        assert [form["StreamEvent"] for form in reports] == ["stream-started", "stream-stopped", "stream-error"]
        assert [form["StreamName"] for form in reports] == ["talk"] * 3
        assert reports[0]["StreamSid"] == result.streams[0].stream_sid
        assert reports[2]["StreamError"] == refused.end_reason

    run(story())


def test_a_rejected_call_is_never_answered() -> None:
    async def story() -> None:
        async with serving(listens, voice='<Response><Reject reason="busy"/></Response>') as agent:
            result = await call(agent)
        statuses = [request.form["CallStatus"] for request in agent.requests if request.path == "/twilio/status"]
        assert (result.ended_by, statuses) == (EndedBy.REJECTED, ["initiated", "ringing", "busy"])

    run(story())


def test_redirects_in_a_circle_come_to_an_end() -> None:
    async def story() -> None:
        async with serving(listens, voice="<Response><Redirect>/twilio/voice</Redirect></Response>") as agent:
            result = await call(agent)
        assert (result.ended_by, result.end_reason) == (EndedBy.ERROR, "more than 50 verbs")

    run(story())


@pytest.mark.parametrize(
    ("voice", "code"),
    [
        ("", Code.RETRIEVAL_FAILURE),
        ("Hello", Code.CONTENT_TYPE),
        ("<Response>", Code.DOCUMENT_PARSE_FAILURE),
        (CONNECT.replace("wss://", "ws://"), Code.SCHEME),
    ],
)
def test_an_answer_that_twilio_would_not_take_ends_the_call_with_its_number(voice: str, code: Code) -> None:
    async def story() -> None:
        async with serving(listens, voice=voice) as agent:
            result = await call(agent)
        assert (result.ended_by, codes(result)) == (EndedBy.ERROR, [code])

    run(story())


def test_an_agent_that_does_not_listen_is_a_connection_failure() -> None:
    async def story() -> None:
        async with serving(listens) as agent:
            pass
        result = await call(agent)
        assert result.ended_by is EndedBy.ERROR
        assert set(codes(result)) == {Code.CONNECTION_FAILURE}

    run(story())


# Faults


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
