"""Calls by text: the rules of the phone, without a phone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from telephony_agent.core.events import EndReason
from telephony_agent.engines.scripted import Hold, ScriptedResponder
from telephony_agent.errors import ResponseError
from telephony_agent.live.text_call import TurnInProgressError
from telephony_agent.live.text_desk import TextDesk
from telephony_agent.sales.disposition import Disposition
from telephony_agent.sales.lead import Lead
from telephony_agent.sales.slots import SlotState
from telephony_agent.sales.values import SlotName
from tests.loopback.agent import PLAYBOOK

from .text_stage import ANNA, WatchedResponder, disposition, is_over, says, with_desk


def test_the_greeting_discloses_and_counts_as_heard() -> None:
    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        assert call.greeting == PLAYBOOK.greeting
        assert await says(call, "what is it about") == "It is about booking."
        assert call.guide.state.disclosed
        assert [turn.reply_heard for turn in call.conversation.turns] == [PLAYBOOK.greeting, "It is about booking."]

    with_desk(scenario, ["It is about booking."])


def test_the_model_reads_what_was_said_on_both_sides() -> None:
    responder = ScriptedResponder(["It is about booking."], otherwise="I see.")

    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        await says(call, "what is it about")
        await says(call, "and what does it do")

    with_desk(scenario, responder=responder)
    system, *talk = responder.prompts[-1]
    assert system == {"role": "system", "content": PLAYBOOK.system_prompt()}
    assert [message["content"] for message in talk] == [
        PLAYBOOK.greeting,
        "what is it about",
        "It is about booking.",
        "and what does it do",
    ]


def test_the_responder_reads_ahead_and_its_cache_is_dropped_at_the_end() -> None:
    responder = WatchedResponder()

    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        await says(call, "thanks, goodbye")
        (session,) = responder.sessions
        assert session.prefilled == responder.prompts[0][:2], "the system prompt and the greeting"
        await session.is_closed()

    with_desk(scenario, responder=responder)


def test_the_cache_of_an_engine_that_failed_is_not_used_again() -> None:
    responder = WatchedResponder([ResponseError("no")])

    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        await says(call, "what is it about")
        await says(call, "thanks, goodbye")
        first, second = responder.sessions
        await second.is_closed()
        assert not first.closed, "its thread may still hold it"

    with_desk(scenario, responder=responder)


def test_a_reply_comes_phrase_by_phrase() -> None:
    async def scenario(desk: TextDesk) -> None:
        phrases = [phrase async for phrase in desk.start(ANNA).take("what is it about")]
        assert phrases == ["It is about booking,", "and it saves you time."]

    with_desk(scenario, ["It is about booking, and it saves you time."])


def test_an_opt_out_is_confirmed_without_the_model_and_ends_the_call() -> None:
    responder = ScriptedResponder(["You will never get rid of us."])

    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        assert (await says(call, "please take me off your list")).startswith("Understood.")
        assert disposition(call) is Disposition.DO_NOT_CALL
        assert call.guide.state.opted_out

    with_desk(scenario, responder=responder)
    assert responder.prompts == []


def test_an_invented_price_is_never_shown() -> None:
    async def scenario(desk: TextDesk) -> None:
        reply = await says(desk.start(ANNA), "what does it cost")
        assert "seven" not in reply
        assert reply

    with_desk(scenario, ["It costs seven dollars a month."])


@pytest.mark.parametrize(
    ("lead", "hour_utc"),
    [(ANNA, 15), (Lead(name="Anna Miller", phone="", zone="Europe/Berlin"), 9)],
    ids=["in the zone of the number", "in the zone of the lead"],
)
def test_a_time_is_read_back_confirmed_and_booked(lead: Lead, hour_utc: int) -> None:
    async def scenario(desk: TextDesk) -> None:
        call = desk.start(lead)
        read_back = await says(call, "can we meet tomorrow at ten in the morning")
        assert "Wednesday, November 25, at 10 in the morning" in read_back
        await says(call, "yes, that's right")
        assert call.guide.state.slots[SlotName.MEETING].state is SlotState.CONFIRMED
        call.end(EndReason.CALLER)
        assert disposition(call) is Disposition.MEETING_BOOKED
        assert call.outcome is not None
        assert call.outcome.next_step is not None
        assert call.outcome.next_step.at == datetime(2026, 11, 25, hour_utc, 0, tzinfo=UTC)

    with_desk(scenario)


def test_nobody_is_connected_to_a_person_by_text() -> None:
    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        assert await says(call, "let me talk to a person") != PLAYBOOK.transfer
        assert not call.over
        assert call.guide.state.callback_wanted

    with_desk(scenario, can_transfer=True)


def test_a_second_turn_has_to_wait_for_the_first() -> None:
    hold = Hold("It is about booking.")

    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        answer = call.take("what is it about")
        with pytest.raises(TurnInProgressError):
            call.take("hello?")
        hold.release.set()
        assert await answer.text() == "It is about booking."
        assert await says(call, "hello?") == "I see. What else would you like to know?"

    with_desk(scenario, [hold])


def test_a_reader_who_goes_away_loses_nothing_but_the_reading() -> None:
    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        call.take("thanks, goodbye")
        await is_over(call)
        assert call.conversation.turns[-1].reply_heard == "Have a good day."

    with_desk(scenario, ["Have a good day."])


def test_a_reply_that_takes_too_long_is_apologised_for() -> None:
    hold = Hold("Too late.")

    async def scenario(desk: TextDesk) -> None:
        assert await says(desk.start(ANNA), "what is it about") == PLAYBOOK.apology
        hold.release.set()

    with_desk(scenario, [hold], deadline_s=0.05)
