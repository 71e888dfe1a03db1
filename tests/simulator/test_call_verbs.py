"""What the twin does with an agent's TwiML: what follows ``<Connect>``, other verbs, and what Twilio would refuse."""

from __future__ import annotations

import re

import pytest

from telephony_agent.simulator import Behaviour, Code, Dialled, EndedBy, Faults, SignatureFault
from telephony_agent.simulator.twiml import Dial, Say
from tests.simulator.calls import QUICK, call, codes, greets_and_closes, listens, run
from tests.simulator.scripted_agent import CONNECT, HANG_UP, serving


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
        assert not result.turned_away

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
        assert result.turned_away

    run(story())


def test_a_call_that_only_hears_words_of_regret_is_turned_away() -> None:
    async def story() -> None:
        async with serving(listens, voice="<Response><Say>We are busy.</Say><Hangup/></Response>") as agent:
            regretted = await call(agent)
        async with serving(greets_and_closes) as agent:
            answered = await call(agent)
        assert (regretted.turned_away, answered.turned_away) == (True, False)

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
        assert not result.turned_away

    run(story())


def test_an_agent_that_does_not_listen_is_a_connection_failure() -> None:
    async def story() -> None:
        async with serving(listens) as agent:
            pass
        result = await call(agent)
        assert result.ended_by is EndedBy.ERROR
        assert set(codes(result)) == {Code.CONNECTION_FAILURE}

    run(story())
