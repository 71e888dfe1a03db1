"""How calls by text end: by whom, with which words, and what is left of them."""

from __future__ import annotations

from datetime import datetime

import pytest

from telephony_agent.core.events import EndReason
from telephony_agent.engines.scripted import Hold
from telephony_agent.errors import ResponseError
from telephony_agent.live.text_call import CallOverError
from telephony_agent.live.text_desk import NoPlaceError, TextDesk
from telephony_agent.sales.disposition import Disposition
from tests.loopback.agent import PLAYBOOK

from .text_stage import ANNA, WatchedResponder, disposition, is_over, says, with_desk


def test_the_control_word_ends_the_call_and_is_never_shown() -> None:
    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        assert await says(call, "that was all") == "Thank you for your time."
        assert call.over
        assert call.end_reason is EndReason.AGENT

    with_desk(scenario, ["Thank you for your time. [END_CALL]"])


def test_the_control_word_ends_nothing_without_a_reason() -> None:
    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        assert await says(call, "yeah email's best") == "Thank you for your time."
        assert not call.over
        assert await says(call, "that was all") == "Have a good day."
        assert call.end_reason is EndReason.AGENT

    with_desk(scenario, ["Thank you for your time. [END_CALL]", "Have a good day. [END_CALL]"])


def test_the_control_word_alone_and_without_a_reason_is_no_reply() -> None:
    async def scenario(desk: TextDesk) -> None:
        call = desk.start(ANNA)
        assert await says(call, "yeah email's best") == PLAYBOOK.apology
        assert not call.over

    with_desk(scenario, ["[END_CALL]"])


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
        await responder.sessions[0].is_closed()
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
        await is_over(call)
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
        await is_over(call)
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
