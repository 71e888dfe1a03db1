"""Calls by text: the rules of the phone, without a phone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from telephony_agent.core.events import EndReason
from telephony_agent.engines.scripted import Hold, ScriptedResponder, ScriptedSession, Step
from telephony_agent.errors import ResponseError
from telephony_agent.live.lanes import Lane
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.text_call import CallOverError, TextCall, TextTerms, TurnInProgressError
from telephony_agent.live.text_desk import NoPlaceError, TextDesk
from telephony_agent.sales.disposition import Disposition
from telephony_agent.sales.lead import Lead
from telephony_agent.sales.phrasebook import Phrasebook
from telephony_agent.sales.slots import SlotState
from telephony_agent.sales.values import SlotName
from tests.loopback.agent import PLAYBOOK

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
ANNA = Lead(name="Anna Miller", phone="+12125550199")
PATIENCE_S = 20.0
Scenario = Callable[[TextDesk], Awaitable[None]]


class WatchedResponder(ScriptedResponder):
    """A scripted responder that keeps the sessions it opened."""

    def __init__(self, script: Iterable[Step] = ()) -> None:
        super().__init__(script)
        self.sessions: list[ScriptedSession] = []

    def session(self) -> ScriptedSession:
        self.sessions.append(super().session())
        return self.sessions[-1]


def with_desk(
    scenario: Scenario,
    replies: Iterable[Step] = (),
    *,
    responder: ScriptedResponder | None = None,
    max_live: int = 3,
    kept_calls: int = 2,
    can_transfer: bool = False,
    **terms: Any,
) -> None:
    """Play a scenario in which the model says these replies."""
    lane = Lane("respond")
    responder = responder or ScriptedResponder(replies, otherwise="I see. What else would you like to know?")

    async def run() -> None:
        shared = TextTerms(
            **{
                "responder": responder,
                "lane": lane,
                "deadline_s": PATIENCE_S,
                "policy": Phrasebook.shipped(),
                "clock": lambda: NOW,
                **terms,
            }
        )
        desk = TextDesk(
            SalesDesk(PLAYBOOK, can_transfer=can_transfer), shared, max_live=max_live, kept_calls=kept_calls
        )
        async with asyncio.timeout(PATIENCE_S):
            await scenario(desk)
        desk.close()

    try:
        asyncio.run(run())
    finally:
        lane.close()
        lane.join(1.0)


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop run until something has come about."""
    while not condition():  # noqa: ASYNC110 - the call has no event to wait for; its callbacks are the only ones
        await asyncio.sleep(0)


async def says(call: TextCall, words: str) -> str:
    return await call.take(words).text()


def disposition(call: TextCall) -> Disposition:
    assert call.outcome is not None, "the call is not over"
    return call.outcome.disposition


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
        await until(lambda: session.closed)

    with_desk(scenario, responder=responder)


def test_the_cache_of_an_engine_that_failed_is_not_used_again() -> None:
    responder = WatchedResponder([ResponseError("no")])

    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        await says(call, "what is it about")
        await says(call, "thanks, goodbye")
        first, second = responder.sessions
        await until(lambda: second.closed)
        assert not first.closed, "its thread may still hold it"

    with_desk(scenario, responder=responder)


def test_a_reply_comes_phrase_by_phrase() -> None:
    async def scenario(desk: TextDesk) -> None:
        phrases = [phrase async for phrase in desk.start(ANNA).take("what is it about")]
        assert phrases == ["It is about booking,", "and it saves you time."]

    with_desk(scenario, ["It is about booking, and it saves you time."])


def test_the_control_word_ends_the_call_and_is_never_shown() -> None:
    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        assert await says(call, "that was all") == "Thank you for your time."
        assert call.over
        assert call.end_reason is EndReason.AGENT

    with_desk(scenario, ["Thank you for your time. [END_CALL]"])


def test_an_opt_out_is_confirmed_without_the_model_and_ends_the_call() -> None:
    responder = ScriptedResponder(["You will never get rid of us."])

    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        assert (await says(call, "please take me off your list")).startswith("Understood.")
        assert disposition(call) is Disposition.DO_NOT_CALL
        assert call.guide.state.opted_out

    with_desk(scenario, responder=responder)
    assert responder.prompts == []


def test_a_goodbye_is_answered_and_ends_the_call() -> None:
    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        assert await says(call, "thanks, goodbye") == "Have a good day."
        assert call.end_reason is EndReason.GOODBYE

    with_desk(scenario, ["Have a good day. [END_CALL]"])


def test_a_goodbye_to_an_engine_that_fails_ends_the_call_in_fixed_words() -> None:
    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        assert await says(call, "thanks, goodbye") == PLAYBOOK.goodbye
        assert call.end_reason is EndReason.GOODBYE

    with_desk(scenario, [ResponseError("no")])


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
        await until(lambda: call.over)
        assert call.conversation.turns[-1].reply_heard == "Have a good day."

    with_desk(scenario, ["Have a good day."])


def test_a_call_that_is_over_takes_no_more_turns() -> None:
    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        await says(call, "thanks, goodbye")
        with pytest.raises(CallOverError):
            call.take("one more thing")
        call.end(EndReason.CALLER)
        assert call.end_reason is EndReason.GOODBYE

    with_desk(scenario)


def test_a_failing_engine_is_apologised_for_and_at_the_third_time_the_call_ends() -> None:
    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        assert await says(call, "what is it about") == PLAYBOOK.apology
        assert await says(call, "hello?") == PLAYBOOK.apology
        assert not call.over
        assert await says(call, "are you there") == PLAYBOOK.fault_goodbye
        assert call.end_reason is EndReason.FAULT

    with_desk(scenario, [ResponseError("no"), "[sighs]", RuntimeError("broken")])


def test_failures_that_are_not_in_a_row_are_forgiven() -> None:
    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        for words in ("what is it about", "hello?", "are you there", "and now"):
            await says(call, words)
        assert not call.over

    with_desk(scenario, [ResponseError("no"), ResponseError("no"), "Here I am.", ResponseError("no")])


def test_a_reply_that_takes_too_long_is_apologised_for() -> None:
    hold = Hold("Too late.")

    async def scenario(desk: TextDesk) -> None:
        assert await says(desk.start(ANNA), "what is it about") == PLAYBOOK.apology
        hold.release.set()

    with_desk(scenario, [hold], deadline_s=0.05)


def test_a_call_that_is_ended_from_outside_lets_the_reader_go() -> None:
    hold = Hold("Too late.")
    responder = WatchedResponder([hold])

    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        answer = call.take("what is it about")
        desk.close()
        assert await answer.text() == ""
        assert call.end_reason is EndReason.SHUTDOWN
        hold.release.set()
        await until(lambda: responder.sessions[0].closed)
        await asyncio.sleep(0)  # what the lane may have handed out before is delivered now
        assert call.conversation.turns[-1].reply == ""
        with pytest.raises(NoPlaceError):
            desk.start(ANNA)

    with_desk(scenario, responder=responder)


def test_a_fault_of_ours_ends_only_its_call() -> None:
    def broken() -> datetime:
        raise ArithmeticError("no such day")

    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        assert await says(call, "what is it about") == PLAYBOOK.fault_goodbye
        assert call.end_reason is EndReason.FAULT
        assert not desk.start(ANNA).over

    with_desk(scenario, clock=broken)


def test_a_call_with_too_many_turns_is_ended() -> None:
    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        assert await says(call, "what is it about") == "I see. What else would you like to know?"
        assert await says(call, "and what else") == PLAYBOOK.goodbye
        assert call.end_reason is EndReason.TIME_LIMIT

    with_desk(scenario, max_turns=2)


def test_a_silent_call_ends_and_its_place_is_free() -> None:
    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        with pytest.raises(NoPlaceError):
            desk.start(ANNA)
        await until(lambda: call.over)
        assert call.end_reason is EndReason.SILENCE
        assert disposition(call) is Disposition.NOT_REACHED
        desk.start(ANNA)

    with_desk(scenario, max_live=1, idle_s=0.01)


def test_silence_is_not_counted_while_we_are_the_ones_to_speak() -> None:
    hold = Hold("Too late.")

    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        assert await says(call, "what is it about") == PLAYBOOK.apology
        assert not call.over
        hold.release.set()
        await until(lambda: call.over)
        assert call.end_reason is EndReason.SILENCE

    with_desk(scenario, [hold], idle_s=0.05, deadline_s=0.1)


def test_who_hangs_up_on_the_greeting_has_heard_it() -> None:
    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        call.end(EndReason.CALLER)
        assert call.outcome is not None
        assert call.outcome.disclosed
        assert disposition(call) is Disposition.HUNG_UP

    with_desk(scenario)


def test_the_last_calls_that_ended_are_remembered() -> None:
    async def scenario(desk: TextDesk) -> None:
        calls = [desk.start(ANNA) for _ in range(3)]
        for call in calls:
            call.end(EndReason.CALLER)
        assert [desk.find(call.call_id) for call in calls] == [None, *calls[1:]]

    with_desk(scenario)
