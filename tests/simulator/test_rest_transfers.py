"""A transfer by <Dial>: its second leg, what the person is whispered, and what the caller's document is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from telephony_agent.simulator import (
    Answer,
    Directory,
)
from tests.simulator.calls import listens, run
from tests.simulator.scripted_agent import HANG_UP, PUBLIC
from tests.simulator.twin import (
    ABSENT,
    BUSY,
    NOWHERE,
    PERSON,
    SETTINGS,
    Story,
    callee,
    over,
    story,
    until,
)


def transfer(number: str, extra: str = "") -> str:
    return (
        f'<Response><Dial timeout="20" action="{PUBLIC}/twilio/dialled"><Number {extra}>{number}</Number></Dial>'
        "</Response>"
    )


async def transferred(it: Story) -> dict[str, str]:
    call = await over(await it.dials(PERSON))
    (form,) = it.forms("dialled")
    legs = await it.asks(lambda client: client.calls.list(parent_call_sid=call.record.sid))
    assert [(leg.sid, leg.direction) for leg in legs] == [(form["DialCallSid"], "outbound-dial")]
    assert legs[0].status in (form["DialCallStatus"], "completed")
    return form


@pytest.mark.parametrize(
    ("number", "status"), [(PERSON, "completed"), (BUSY, "busy"), (ABSENT, "no-answer"), (NOWHERE, "failed")]
)
def test_a_transfer_tells_how_its_second_leg_ended(number: str, status: str) -> None:
    async def tale() -> None:
        async with story(listens, voice=transfer(number), dialled=HANG_UP) as it:
            form = await transferred(it)
        assert form["DialCallStatus"] == status

    run(tale())


@pytest.mark.parametrize(
    ("whisper", "status"),
    [("<Response><Say>A caller</Say></Response>", "completed"), (HANG_UP, "no-answer"), ("", "no-answer")],
)
def test_a_whisper_is_run_for_the_person_first_and_may_decline(whisper: str, status: str) -> None:
    async def tale() -> None:
        voice = transfer(PERSON, f'url="{PUBLIC}/twilio/whisper"')
        async with story(listens, voice=voice, dialled=HANG_UP, whisper=whisper) as it:
            form = await transferred(it)
        assert form["DialCallStatus"] == status
        (asked,) = it.forms("whisper")
        assert (asked["CallSid"], asked["ParentCallSid"]) == (form["DialCallSid"], form["CallSid"])

    run(tale())


@pytest.mark.parametrize(("presses", "status"), [("1", "completed"), ("", "no-answer")])
def test_a_whisper_may_ask_the_person_for_a_key(presses: str, status: str) -> None:
    prompt = f'<Gather action="{PUBLIC}/twilio/joined" numDigits="1"><Say>Press one</Say></Gather>'

    async def tale() -> None:
        chosen = replace(SETTINGS, directory=Directory(callee("a colleague", presses=presses), {}))
        voice = transfer("+12125550199", f'url="{PUBLIC}/twilio/whisper"')
        pages = {"whisper": f"<Response>{prompt}<Hangup/></Response>", "joined": "<Response/>"}
        async with story(listens, voice=voice, dialled=HANG_UP, settings=chosen, **pages) as it:
            form = await transferred(it)
        assert form["DialCallStatus"] == status
        assert [asked["Digits"] for asked in it.forms("joined")] == ([presses] if presses else [])

    run(tale())


def test_hanging_up_while_the_second_leg_rings_cancels_it() -> None:
    async def tale() -> None:
        at_once = Directory(callee("at once", rings=0), {ABSENT: callee("absent", answer=Answer.NO_ANSWER)})
        slow = replace(SETTINGS, pace=replace(SETTINGS.pace, ring_ms=10_000), directory=at_once)
        async with story(listens, voice=transfer(ABSENT), settings=slow) as it:
            call = await it.dials(PERSON)
            await until(lambda: len(it.exchange.records) == 2)
            await it.updates(call, status="completed")
            await over(call)
            second = list(it.exchange.records.values())[1]
        assert (call.record.status, second.status) == ("completed", "canceled")

    run(tale())
