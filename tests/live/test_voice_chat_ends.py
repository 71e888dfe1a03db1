"""Voice without a phone: how a call ends, and what becomes of one whose line is lost."""

from __future__ import annotations

import asyncio

import pytest

from telephony_agent.core.events import EndReason
from telephony_agent.engines.scripted import (
    Hold,
)
from telephony_agent.live.spoken_call import LineTakenError
from telephony_agent.live.text_call import CallOverError
from telephony_agent.live.voice_chat import (
    CallEnded,
    HungUp,
    LineLostError,
    TurnDone,
    Words,
)
from tests.live.studio import OTHERWISE, Studio, heard, in_studio, phrases
from tests.loopback.agent import PLAYBOOK


def test_an_opt_out_is_confirmed_aloud_before_the_call_ends() -> None:
    hold = Hold()

    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        client.says(Words("please take me off your list"))
        await asyncio.to_thread(hold.entered.wait)
        assert not call.over, "its last words are not out"
        client.says(Words("hello?"))
        hold.release.set()
        await client.hangs_on()
        assert heard(call)[-1].startswith("Understood.")
        assert heard(call)[-1] == call.conversation.turns[-1].reply
        assert client.told[-2:] == [TurnDone(), CallEnded()]
        assert call.guide.state.opted_out

    in_studio(scenario, spoken=["", hold])


def test_a_client_that_hangs_up_ends_the_call() -> None:
    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        client.says(HungUp())
        await client.hangs_on()
        assert call.end_reason is EndReason.CALLER
        assert client.told[-1] == CallEnded()

    in_studio(scenario)


def test_a_call_that_is_ended_from_outside_tells_its_client() -> None:
    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        studio.desk.close()
        await client.hangs_on()
        assert client.told[-1] == CallEnded()
        assert call.end_reason is EndReason.SHUTDOWN

    in_studio(scenario)


def test_a_long_silence_ends_the_call() -> None:
    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        await client.hangs_on()
        assert call.end_reason is EndReason.SILENCE

    in_studio(scenario, idle_s=0.2)


def test_a_line_that_is_lost_may_be_replaced_and_what_was_not_delivered_is_not_history() -> None:
    hold = Hold()

    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        client.says(Words("what is it about"))
        await asyncio.to_thread(hold.entered.wait)
        client.says(LineLostError("gone"))
        await client.hangs_on()
        hold.release.set()
        assert not call.over
        assert heard(call) == [PLAYBOOK.greeting, ""]
        again = studio.join(call)
        await again.hears(TurnDone)
        assert again.told == [TurnDone()], "who was greeted isn't greeted again"
        assert await again.turn(Words("sorry, I lost you"))

    in_studio(scenario, replies=["It is about booking."], spoken=["", hold])


def test_a_client_that_takes_nothing_was_not_greeted_and_is_greeted_on_its_next_line() -> None:
    async def scenario(studio: Studio) -> None:
        call = studio.start()
        client = studio.join(call)
        client.deaf = True
        await client.hangs_on()
        assert heard(call) == [""]
        again = studio.join(call)
        await again.hears(TurnDone)
        assert phrases(again.told) == [PLAYBOOK.greeting]

    in_studio(scenario)


def test_a_line_that_stays_away_ends_the_call() -> None:
    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        client.says(LineLostError("gone"))
        await call.wait_ended()
        assert call.end_reason is EndReason.LINE

    in_studio(scenario, reconnect_s=0.02)


def test_a_line_that_is_lost_during_our_goodbye_ends_the_call_with_what_was_delivered() -> None:
    hold = Hold()

    async def scenario(studio: Studio) -> None:
        call, client = await studio.greeted()
        client.says(Words("please take me off your list"))
        await asyncio.to_thread(hold.entered.wait)
        client.says(LineLostError("gone"))
        await client.hangs_on()
        hold.release.set()
        assert call.over
        assert heard(call)[-1] == ""
        assert call.guide.state.opted_out

    in_studio(scenario, spoken=["", hold])


def test_a_call_has_one_line_which_is_the_latest_comers_and_none_when_it_is_over() -> None:
    async def scenario(studio: Studio) -> None:
        call, first = await studio.greeted()
        second, third = studio.join(call), studio.join(call)
        for client in (first, second):
            with pytest.raises(LineTakenError):
                await client.hangs_on()
        await third.hears(TurnDone)
        assert " ".join(await third.turn(Words("sorry, I lost you"))) == OTHERWISE
        third.says(HungUp())
        await third.hangs_on()
        with pytest.raises(CallOverError):
            await studio.join(call).serving

    in_studio(scenario)
