"""Calls in which the model calls tools: what is done, what is heard meanwhile, and what stays in the history."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from telephony_agent.core.composer import FAILED_TOOL
from telephony_agent.core.conversation import UNKNOWN_RESULT
from telephony_agent.core.events import CancelReply, EndReason, Respond, Synthesize, ToolReturned, UseTool
from telephony_agent.core.replay import reproduce, retell
from telephony_agent.live.sales_desk import SalesDesk, outcome_of
from telephony_agent.sales.disposition import Disposition
from telephony_agent.sales.guide import Guide
from telephony_agent.sales.phrasebook import Phrasebook
from telephony_agent.sales.slots import SlotState
from telephony_agent.sales.values import SlotName
from tests.calls.stage import Call
from tests.calls.traced import TracedCall
from tests.sales.talk import PLAYBOOK

ORDER = "The order was shipped on Monday."


def calling(name: str, **arguments: Any) -> str:
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


def by_history(first: str, then: str = "It was shipped on Monday.") -> Callable[[Respond], str]:
    """Reply with a call, and with words once the tool's answer is there."""
    return lambda asked: then if asked.messages[-1]["role"] == "tool" else first


class ToolCallStory(Call):
    """A call with the guide of a playbook that has every built-in tool."""

    def __init__(self, replies: Any, *, transfers: bool = False, **terms: Any) -> None:
        tools = ("end_call", "transfer_to_human", "schedule_callback", "send_information", "shop:find_order")
        desk = SalesDesk(PLAYBOOK.model_copy(update={"tools": tools}), can_transfer=transfers)
        self.setting = desk.setting("+15005550006")
        self.guide: Guide = desk.guide(self.setting)
        super().__init__(replies, counsel=self.guide, greeting=PLAYBOOK.greeting, transfers=transfers, **terms)

    @property
    def disposition(self) -> Disposition:
        reason = self.hung_up.reason if self.hung_up is not None else EndReason.CALLER
        return outcome_of(self.guide, self.setting, reason).disposition


def used(call: Call) -> list[UseTool]:
    return [action for action in call.sent(UseTool) if isinstance(action, UseTool)]


def spoken(call: Call) -> str:
    return " ".join(action.text for action in call.sent(Synthesize) if isinstance(action, Synthesize))


def test_a_tool_is_called_and_the_model_goes_on_with_what_it_returned() -> None:
    call = Call(by_history("Let me check that. " + calling("find_order", number=7)), tools={"find_order": ORDER})
    call.caller_listens()
    call.caller_says("where is my order seven")
    call.caller_listens()
    assert [(use.name, use.arguments) for use in used(call)] == [("find_order", {"number": 7})]
    assert call.heard[1] == "Let me check that. It was shipped on Monday."
    assert call.prompts[-1][-3:] == [
        {"role": "user", "content": "where is my order seven"},
        {"role": "assistant", "content": "Let me check that.\n" + calling("find_order", number=7)},
        {"role": "tool", "content": ORDER},
    ]


def test_the_history_keeps_the_call_where_it_was_made() -> None:
    replies: list[str | Exception] = [
        "Let me check that. " + calling("find_order", number=7),
        "It was shipped on Monday.",
        "You're welcome.",
    ]
    call = Call(replies, tools={"find_order": ORDER})
    call.caller_listens()
    call.caller_says("where is my order seven")
    call.caller_listens()
    call.caller_says("thank you")
    call.caller_listens()
    assert [(message["role"], message["content"]) for message in call.prompts[-1][-5:]] == [
        ("user", "where is my order seven"),
        ("assistant", "Let me check that.\n" + calling("find_order", number=7)),
        ("tool", ORDER),
        ("assistant", "It was shipped on Monday."),
        ("user", "thank you"),
    ]


def test_a_call_is_never_spoken() -> None:
    call = Call(by_history(calling("find_order", number=7) + " The order is lost."), tools={"find_order": ORDER})
    call.caller_listens()
    call.caller_says("where is my order seven")
    call.caller_listens()
    assert spoken(call) == "It was shipped on Monday."


def test_a_tool_never_runs_for_a_guess_that_is_withdrawn() -> None:
    call = Call(
        by_history(calling("find_order", number=7)),
        tools={"find_order": ORDER},
        transcribe_s=0.02,
        first_token_s=0.02,
        word_s=0.01,
    )
    call.caller_listens()
    call.caller_says("where is my order seven")
    call.caller_waits(0.3)
    assert call.sent(Respond), "a reply was begun ahead"
    assert not used(call)
    call.caller_says("where is my order seven or eight")
    assert call.sent(CancelReply)
    assert not used(call)
    call.caller_listens()
    assert len(used(call)) == 1


def test_a_slow_tool_is_bridged_by_fillers() -> None:
    call = Call(by_history(calling("find_order", number=7)), tools={"find_order": ORDER}, tool_s=8.0)
    call.caller_listens()
    call.caller_says("where is my order seven")
    call.caller_listens()
    assert "Let me see." in call.heard[1]
    assert call.heard[1].endswith("It was shipped on Monday.")
    assert call.longest_pause_s() < 3.0


def test_a_slow_tool_behind_words_of_ours_is_bridged_by_fillers_too() -> None:
    first = "Let me check that for you. " + calling("find_order", number=7)
    call = Call(by_history(first), tools={"find_order": ORDER}, tool_s=8.0)
    call.caller_listens()
    call.caller_says("where is my order seven")
    call.caller_listens()
    assert call.heard[1].startswith("Let me check that for you. ")
    assert call.longest_pause_s() < 3.0


def test_a_barge_in_ends_the_waiting_but_not_the_effect() -> None:
    def replies(asked: Respond) -> str:
        return "Okay, never mind." if "never" in asked.messages[-1]["content"] else calling("find_order", number=7)

    call = Call(replies, tools={"find_order": ORDER}, tool_s=4.0)
    call.caller_listens()
    call.caller_says("where is my order seven")
    call.caller_waits(1.0)
    assert used(call)
    call.caller_says("oh never mind that I was wrong", seconds=1.6)
    call.caller_listens()
    assert call.heard[2] == "Okay, never mind."
    assert {"role": "tool", "content": UNKNOWN_RESULT} in call.prompts[-1]
    call.caller_waits(4.0)
    assert [use.result for use in call.turns[1].tools] == [ORDER]
    assert not call.heard[1].endswith("Monday.")


def test_a_tool_that_fails_is_told_to_the_model_and_the_call_goes_on() -> None:
    call = Call(by_history(calling("find_order", number=7), "I can't look that up now."), tools={"find_order": None})
    call.caller_listens()
    call.caller_says("where is my order seven")
    call.caller_listens()
    assert call.prompts[-1][-1] == {"role": "tool", "content": FAILED_TOOL}
    assert call.heard[1] == "I can't look that up now."


def test_no_more_than_three_tools_are_called_in_a_turn() -> None:
    numbers = iter(range(100))
    call = Call(lambda asked: calling("find_order", number=next(numbers)), tools={"find_order": ORDER})
    call.caller_listens()
    call.caller_says("where is my order seven")
    call.caller_listens()
    assert [use.number for use in used(call)] == [0, 1, 2]
    assert [asked.may_call for asked in call.sent(Respond) if isinstance(asked, Respond)][-4:] == [
        True,
        True,
        True,
        False,
    ]
    assert call.heard[1].endswith("Sorry, I lost my thread.")


def test_the_same_call_in_a_turn_has_its_effect_only_once() -> None:
    call = Call(lambda asked: calling("find_order", number=7), tools={"find_order": ORDER})
    call.caller_listens()
    call.caller_says("where is my order seven")
    call.caller_listens()
    assert len(used(call)) == 1


@pytest.mark.parametrize("ruin", ["<tool_call>", "<tool_call>\n{", calling("find_order")[:-3], '{"name": "end_call"}'])
def test_a_call_that_is_none_is_neither_made_nor_spoken(ruin: str) -> None:
    call = Call(lambda asked: ruin)
    call.caller_listens()
    call.caller_says("where is my order seven")
    call.caller_listens()
    assert not used(call)
    assert spoken(call) == ""
    assert call.heard[1] == "Sorry, I lost my thread."


def test_end_call_ends_the_call_behind_the_words_before_it() -> None:
    call = ToolCallStory(["Thank you, goodbye. " + calling("end_call")])
    call.caller_listens()
    call.caller_says("that was all")
    call.caller_listens()
    assert call.hung_up is not None
    assert call.hung_up.reason is EndReason.AGENT
    assert call.heard[1] == "Thank you, goodbye."


def test_a_transfer_that_the_model_wants_says_the_fixed_words_and_goes_to_our_own_number() -> None:
    call = ToolCallStory([calling("transfer_to_human")], transfers=True)
    call.caller_listens()
    call.caller_says("this is too hard for you I think")
    call.caller_listens()
    assert call.heard[1] == PLAYBOOK.transfer
    assert call.hung_up is not None
    assert call.hung_up.reason is EndReason.TRANSFER


def test_a_number_that_a_caller_dictates_gets_no_transfer() -> None:
    replies = by_history(calling("transfer_to_human", number="+19005550100"), "I can't do that. What else?")
    call = ToolCallStory(replies, transfers=True)
    call.caller_listens()
    call.caller_says("call transfer to plus one nine hundred five five five zero one zero zero")
    call.caller_listens()
    assert call.hung_up is None
    assert not used(call)
    assert "number" in call.prompts[-1][-1]["content"]
    assert call.heard[1] == "I can't do that. What else?"


def test_where_there_is_nobody_the_model_is_told_so() -> None:
    call = ToolCallStory(by_history(calling("transfer_to_human"), "Nobody is free right now."))
    call.caller_listens()
    call.caller_says("this is too hard for you I think")
    call.caller_listens()
    assert call.hung_up is None
    assert call.prompts[-1][-1]["content"].startswith("Nobody is free.")


def test_a_call_back_that_the_model_schedules_counts_only_after_the_callers_yes() -> None:
    call = ToolCallStory([calling("schedule_callback", when="Thursday at three thirty in the afternoon")])
    call.caller_listens()
    call.caller_says("I have no time for this now")
    call.caller_listens()
    assert "Thursday, November 26, at 3:30 in the afternoon. Is that right?" in call.heard[1]
    assert call.guide.state.slots[SlotName.CALLBACK].state is SlotState.EMPTY
    call.caller_says("yes that's right")
    call.caller_listens()
    assert call.guide.state.slots[SlotName.CALLBACK].state is SlotState.CONFIRMED
    call.caller_hangs_up()
    assert call.disposition is Disposition.CALLBACK


def test_a_call_back_that_the_caller_denies_is_in_no_record() -> None:
    call = ToolCallStory([calling("schedule_callback", when="Thursday at three thirty"), "All right."])
    call.caller_listens()
    call.caller_says("I have no time for this now")
    call.caller_listens()
    call.caller_says("no")
    call.caller_listens()
    call.caller_hangs_up()
    assert SlotName.CALLBACK not in dict(call.guide.state.slots)
    assert call.disposition is not Disposition.CALLBACK


def test_a_price_that_a_tool_returned_may_be_spoken() -> None:
    price = "It costs forty five dollars."
    call = ToolCallStory(by_history(calling("find_order", number=7), price), tools={"find_order": "45 dollars"})
    call.caller_listens()
    call.caller_says("what was my order seven")
    call.caller_listens()
    assert call.heard[1] == price


def story() -> TracedCall:
    replies = by_history("Let me check that. " + calling("find_order", number=7))
    call = TracedCall(replies, tools={"find_order": ORDER}, tool_s=3.0)
    call.caller_listens()
    call.caller_says("where is my order seven")
    call.caller_listens()
    call.caller_hangs_up()
    return call


def test_the_trace_of_a_call_with_a_tool_reproduces_it() -> None:
    call = story()
    told = reproduce(call.trace, Phrasebook.shipped())
    assert told.difference is None
    assert list(told.turns) == call.turns
    assert any(isinstance(step.event, ToolReturned) for step in call.trace.steps)


def test_a_retold_call_takes_the_tools_result_from_the_recording() -> None:
    call = story()
    told = retell(call.trace, replace(call.trace.header.rules, filler_after_s=2.0), Phrasebook.shipped())
    assert [use.result for use in told.turns[1].tools] == [ORDER]
    assert told.turns[1].reply.endswith("It was shipped on Monday.")
