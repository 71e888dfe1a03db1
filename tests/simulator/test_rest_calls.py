"""Calls that the official client places with the twin, lived to their end over real sockets."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from telephony_agent.simulator import (
    Behaviour,
    CallbackFault,
    Code,
    Faults,
    Tunnel,
    running_twin,
)
from telephony_agent.simulator.noises import level_dbov
from telephony_agent.simulator.orders import EndedBy
from telephony_agent.simulator.rest_order import Fields
from telephony_agent.simulator.twin_settings import Limits
from tests.simulator.calls import QUICK, greets_and_closes, listens, run
from tests.simulator.scripted_agent import CONNECT, HANG_UP, PUBLIC, Leg
from tests.simulator.twin import (
    ABSENT,
    BUSY,
    DECLINES,
    FAX,
    MACHINE,
    MENU,
    NOWHERE,
    OURS,
    PERSON,
    SETTINGS,
    SHORT,
    over,
    story,
    until,
)


def test_a_call_goes_from_queued_to_completed_and_tells_so() -> None:
    async def tale() -> None:
        async with story(greets_and_closes) as it:
            made = await it.asks(
                lambda client: client.calls.create(to=PERSON, from_=OURS, url=f"{PUBLIC}/twilio/voice")
            )
            assert (made.status, made.direction, made.to, made.duration) == ("queued", "outbound-api", PERSON, None)
            call = it.exchange.call(str(made.sid))
            assert call is not None
            await over(call)
            found = await it.fetches(call)
        assert (found.status, found.answered_by) == ("completed", None)
        assert found.start_time is not None
        assert found.end_time >= found.start_time
        assert int(found.duration) in (0, 1)
        assert call.end is not None
        assert call.end.by is EndedBy.AGENT
        (voice,) = it.forms("voice")
        assert (voice["CallStatus"], voice["Direction"], voice["CallSid"]) == ("in-progress", "outbound-api", made.sid)
        assert all(request.genuine for request in it.agent.requests)
        assert len(call.agent_track) == len(call.other_track) > 0

    run(tale())


def test_progress_is_reported_in_order_with_its_numbers() -> None:
    async def tale() -> None:
        async with story(greets_and_closes) as it:
            await over(await it.dials(PERSON))
        assert it.reported() == ["initiated", "ringing", "in-progress", "completed"]
        assert [form["SequenceNumber"] for form in it.forms("status")] == ["0", "1", "2", "3"]
        assert it.forms("status")[-1]["SipResponseCode"] == "200"

    run(tale())


def test_only_the_events_that_were_subscribed_to_are_reported_and_counted() -> None:
    async def tale() -> None:
        async with story(greets_and_closes) as it:
            await over(await it.dials(PERSON, status_callback_event=["completed"]))
        (form,) = it.forms("status")
        assert (form["CallStatus"], form["SequenceNumber"]) == ("completed", "0")

    run(tale())


@pytest.mark.parametrize(
    ("number", "statuses", "sip"),
    [
        (BUSY, ["initiated", "busy"], "486"),
        (ABSENT, ["initiated", "ringing", "no-answer"], "480"),
        (DECLINES, ["initiated", "ringing", "busy"], "603"),
        (NOWHERE, ["initiated", "failed"], "404"),
    ],
)
def test_a_call_that_nobody_takes_ends_with_its_own_status(number: str, statuses: list[str], sip: str) -> None:
    async def tale() -> None:
        async with story(listens) as it:
            call = await over(await it.dials(number, timeout=10))
            found = await it.fetches(call)
        assert it.reported() == statuses
        assert found.status == statuses[-1]
        assert it.forms("status")[-1]["SipResponseCode"] == sip
        assert it.forms("voice") == []

    run(tale())


def test_callbacks_may_be_late_twice_and_in_any_order_but_none_is_lost() -> None:
    async def tale() -> None:
        behaviour = Behaviour(Faults(callbacks=CallbackFault.SHUFFLED), QUICK)
        async with story(greets_and_closes, settings=replace(SETTINGS, behaviour=behaviour)) as it:
            await over(await it.dials(PERSON))
        assert {form["SequenceNumber"] for form in it.forms("status")} == {"0", "1", "2", "3"}

    run(tale())


def test_hanging_up_over_rest_stops_the_stream_properly() -> None:
    async def tale() -> None:
        async with story(listens) as it:
            call = await it.dials(PERSON)
            await until(lambda: bool(it.agent.legs) and bool(it.agent.legs[0].sent("media")))
            updated = await it.updates(call, status="canceled")
            assert updated.status == "in-progress", "an answered call isn't canceled"
            await it.updates(call, status="completed")
            await over(call)
        assert it.agent.legs[0].messages[-1]["event"] == "stop"
        assert it.reported()[-1] == "completed"
        assert "/twilio/stream-ended" not in it.agent.paths()

    run(tale())


@pytest.mark.parametrize("status", ["canceled", "completed"])
def test_a_ringing_call_is_canceled(status: str) -> None:
    async def tale() -> None:
        slow = replace(SETTINGS, pace=replace(SETTINGS.pace, ring_ms=10_000))
        async with story(listens, settings=slow) as it:
            call = await it.dials(PERSON)
            await until(lambda: "ringing" in it.reported())
            await it.updates(call, status=status)
            await over(call)
        assert it.reported() == ["initiated", "ringing", "canceled"]

    run(tale())


def test_a_live_call_goes_on_with_other_twiml() -> None:
    async def tale() -> None:
        async with story(listens, second=HANG_UP) as it:
            call = await it.dials(PERSON)
            await until(lambda: bool(it.agent.legs) and bool(it.agent.legs[0].sent("media")))
            await it.updates(
                call, twiml=f"<Response><Say>Wait</Say><Redirect>{PUBLIC}/twilio/second</Redirect></Response>"
            )
            await over(call)
        assert [type(verb).__name__ for verb in call.verbs] == ["Connect", "Say", "Redirect", "Hangup"]
        assert it.agent.legs[0].messages[-1]["event"] == "stop"

    run(tale())


def test_hanging_up_breaks_off_a_stream_that_does_not_open() -> None:
    async def tale() -> None:
        asked, left = asyncio.Event(), asyncio.Event()

        async def never_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            asked.set()
            await reader.read()
            left.set()
            writer.close()

        async with await asyncio.start_server(never_answers, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with running_twin(replace(SETTINGS, tunnel=Tunnel(PUBLIC, f"http://127.0.0.1:{port}"))) as twin:
                form = (("To", PERSON), ("From", OURS), ("Twiml", CONNECT))
                record = await twin.exchange.place(Fields(form))
                await asked.wait()
                twin.exchange.update(record.sid, Fields((("Status", "completed"),)), "")
                await left.wait()
                await until(lambda: record.is_over)

    run(tale())


def test_a_call_that_is_redirected_before_it_is_answered_asks_the_new_url() -> None:
    async def tale() -> None:
        async with story(listens, second=HANG_UP) as it:
            order = (("To", PERSON), ("From", OURS), ("Url", f"{PUBLIC}/twilio/voice"))
            record = await it.exchange.place(Fields(order))
            it.exchange.update(record.sid, Fields((("Url", f"{PUBLIC}/twilio/second"),)), "")
            await until(lambda: record.is_over)
        assert (it.forms("voice"), len(it.forms("second"))) == ([], 1)

    run(tale())


def test_twiml_in_the_order_needs_no_webhook() -> None:
    async def tale() -> None:
        async with story(listens) as it:
            call = await over(await it.dials(PERSON, twiml="<Response><Say>Hello</Say></Response>"))
        assert [type(verb).__name__ for verb in call.verbs] == ["Say"]
        assert it.agent.paths() == ["/twilio/status"] * 4

    run(tale())


def test_a_voice_url_that_fails_leads_to_the_fallback() -> None:
    async def tale() -> None:
        async with story(listens, voice="", second=HANG_UP) as it:
            call = await over(await it.dials(PERSON, fallback_url=f"{PUBLIC}/twilio/second"))
        (form,) = it.forms("second")
        assert (form["ErrorCode"], form["ErrorUrl"]) == ("11200", f"{PUBLIC}/twilio/voice")
        assert [notice.code for notice in call.notices] == [Code.RETRIEVAL_FAILURE]
        assert it.reported()[-1] == "completed"

    run(tale())


@pytest.mark.parametrize(("fragment", "times"), [("", 1), ("#rc=2&rp=5xx", 3), ("#rc=2&rp=ct", 1)])
def test_a_webhook_is_tried_again_as_its_fragment_says(fragment: str, times: int) -> None:
    async def tale() -> None:
        async with story(listens, voice="") as it:
            await over(await it.dials(PERSON, url=f"{PUBLIC}/twilio/voice{fragment}"))
        asked = [request for request in it.agent.requests if request.path == "/twilio/voice"]
        assert len(asked) == times
        assert len({request.headers["i-twilio-idempotency-token"] for request in asked}) == 1
        assert all(request.genuine for request in asked)

    run(tale())


@pytest.mark.parametrize(
    ("number", "mode", "answered_by"),
    [
        (PERSON, "Enable", "human"),
        (MACHINE, "Enable", "machine_start"),
        (MACHINE, "DetectMessageEnd", "machine_end_beep"),
        (FAX, "Enable", "fax"),
    ],
)
def test_asynchronous_detection_tells_its_verdict_while_the_twiml_runs(
    number: str, mode: str, answered_by: str
) -> None:
    async def tale() -> None:
        async with story(listens) as it:
            call = await it.dials(
                number,
                machine_detection=mode,
                async_amd="true",
                async_amd_status_callback=f"{PUBLIC}/twilio/amd",
            )
            await until(lambda: bool(it.forms("amd")))
            await it.updates(call, status="completed")
            await over(call)
            found = await it.fetches(call)
        (form,) = it.forms("amd")
        assert (form["AnsweredBy"], form["CallSid"]) == (answered_by, call.record.sid)
        assert form["MachineDetectionDuration"] == "50"
        assert found.answered_by == answered_by
        assert "AnsweredBy" not in it.forms("voice")[0]

    run(tale())


def test_detection_that_is_waited_for_comes_with_the_voice_webhook() -> None:
    async def tale() -> None:
        async with story(greets_and_closes) as it:
            await over(await it.dials(FAX, machine_detection="Enable"))
        (form,) = it.forms("voice")
        assert form["AnsweredBy"] == "fax"

    run(tale())


def test_a_voicemail_keeps_what_is_said_after_its_beep() -> None:
    async def leaves_a_message(leg: Leg) -> None:
        await leg.until("start")
        await leg.until("media", 30)
        await leg.speak(200, "message")
        await leg.until("mark")
        await leg.websocket.close()

    async def tale() -> None:
        async with story(leaves_a_message) as it:
            call = await over(await it.dials(MACHINE))
        assert call.message is not None
        loud = [level_dbov(call.message[at : at + 160]) > -40 for at in range(0, len(call.message), 160)]
        assert 9 <= sum(loud) <= 11

    run(tale())


def test_keys_that_are_sent_open_a_menu_and_without_them_it_hangs_up() -> None:
    async def tale() -> None:
        behaviour = Behaviour(pace=replace(QUICK, pause_ms_per_s=1000))
        async with story(listens, settings=replace(SETTINGS, behaviour=behaviour)) as it:
            opened = await over(await it.dials(MENU, send_digits="w1"))
            played = await over(
                await it.dials(MENU, twiml='<Response><Play digits="w1"/><Pause length="9"/></Response>')
            )
            closed = await over(await it.dials(MENU))
        assert [call.end.reason for call in (opened, played, closed) if call.end] == [
            "the caller hung up",
            "the caller hung up",
            "nobody pressed 1",
        ]

    run(tale())


def test_a_callee_that_hangs_up_ends_the_call_even_while_no_stream_is_open() -> None:
    async def tale() -> None:
        behaviour = Behaviour(pace=replace(QUICK, pause_ms_per_s=1000))
        pausing = "<Response><Pause length='30'/></Response>"
        async with story(listens, voice=pausing, settings=replace(SETTINGS, behaviour=behaviour)) as it:
            call = await over(await it.dials(SHORT))
        assert call.end is not None
        assert call.end.by is EndedBy.CALLER
        assert it.reported()[-1] == "completed"

    run(tale())


def test_a_call_ends_at_its_time_limit() -> None:
    async def tale() -> None:
        async with story(listens) as it:
            call = await over(await it.dials(PERSON, time_limit=1))
        assert call.end is not None
        assert call.end.reason == "the time limit of 1 s"
        assert it.agent.legs[0].messages[-1]["event"] == "stop"

    run(tale())


def test_calls_wait_their_turn_to_be_dialled_and_can_be_canceled_while_they_do() -> None:
    async def tale() -> None:
        async with story(listens, settings=replace(SETTINGS, limits=Limits(calls_per_s=0.05))) as it:
            calls = [await it.dials(BUSY) for _ in range(3)]
            queued = [int((await it.fetches(call)).queue_time) for call in calls]
            await it.updates(calls[2], status="canceled")
            await over(calls[2])
            taken = [await it.exchange.next_order() for _ in range(3)]
        assert queued[0] == 0
        assert 0 < queued[1] < queued[2] <= 40_000
        assert calls[2].record.status == "canceled"
        assert taken == calls

    run(tale())


# Calls that come in


def test_a_call_comes_in_through_the_numbers_voice_url() -> None:
    async def tale() -> None:
        async with story(greets_and_closes, voice=CONNECT) as it:
            (number,) = await it.asks(lambda client: client.incoming_phone_numbers.list(phone_number=OURS))
            await it.asks(
                lambda client: client.incoming_phone_numbers(str(number.sid)).update(
                    voice_url=f"{PUBLIC}/twilio/voice", status_callback=f"{PUBLIC}/twilio/status"
                )
            )
            call = await over(await it.exchange.ring_in(OURS, "+12125550199", it.exchange.settings.directory.default))
        (form,) = it.forms("voice")
        assert (form["CallStatus"], form["Direction"], form["From"]) == ("ringing", "inbound", "+12125550199")
        assert it.reported() == ["initiated", "ringing", "in-progress", "completed"]
        assert len(call.streams) == 1

    run(tale())


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ('<Response><Reject reason="busy"/></Response>', "busy"),
        ("<Response><Reject/></Response>", "no-answer"),
        ("", "failed"),
    ],
)
def test_an_incoming_call_that_is_not_taken_says_why(document: str, status: str) -> None:
    async def tale() -> None:
        async with story(listens, voice=document) as it:
            (number,) = it.exchange.numbers.values()
            it.exchange.numbers[number.sid] = replace(number, voice_url=f"{PUBLIC}/twilio/voice")
            call = await over(await it.exchange.ring_in(OURS, PERSON, it.exchange.settings.directory.default))
        assert call.record.status == status

    run(tale())
