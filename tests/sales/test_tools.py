from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from telephony_agent.errors import PlaybookError
from telephony_agent.sales.guide import Guide
from telephony_agent.sales.guide_state import Then
from telephony_agent.sales.slots import SlotState
from telephony_agent.sales.tool_law import Ruling
from telephony_agent.sales.tools import BUILT_IN, MAX_RESULT, Tool, ToolCallError, as_result
from telephony_agent.sales.values import SlotName
from tests.sales.talk import NOW, PHRASES, PLAYBOOK, SETTING, Talk

TOOLS = tuple(BUILT_IN)


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class Place(BaseModel):
    street: str
    number: int


def find_order(number: Annotated[int, Field(ge=1)], size: Size = Size.SMALL, *, where: Literal["here", "there"]) -> str:
    """Look up an order
    by its number.

    This paragraph is for people.
    """
    return f"{number} {size} {where}"


async def deliver(place: Place, notes: list[str] | None = None) -> None:
    """Send an order to a place."""


def no_docstring(number: int) -> None: ...


def no_hint(number) -> None:  # type: ignore[no-untyped-def]
    """Look up."""


def many(*numbers: int) -> None:
    """Look up."""


def any_word(**words: str) -> None:
    """Look up."""


def unknown_type(number: Nowhere) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Look up."""


def unchecked(calls: Callable[[], int]) -> None:
    """Look up."""


def opaque(thing: Guide) -> None:
    """Look up."""


def test_a_function_becomes_a_tool_by_its_name_its_docstring_and_its_types() -> None:
    tool = Tool.of(find_order)
    assert (tool.name, tool.description, tool.is_async) == ("find_order", "Look up an order by its number.", False)
    assert tool.parameters["properties"]["number"] == {"minimum": 1, "title": "Number", "type": "integer"}
    assert tool.parameters["required"] == ["number", "where"]
    assert tool.parameters["additionalProperties"] is False
    assert Tool.of(deliver).is_async


def test_what_is_trivially_wrong_with_a_call_is_put_right() -> None:
    tool = Tool.of(find_order)
    assert tool.function(**tool.read({"number": "7", "where": "here"})) == "7 small here"
    assert tool.read({"number": 7.0, "size": "large", "where": "there"}) == {
        "number": 7,
        "size": Size.LARGE,
        "where": "there",
    }


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"where": "here"}, "number: Field required"),
        ({"number": "seven", "where": "here"}, "number: Input should be a valid integer"),
        ({"number": 0, "where": "here"}, "number: Input should be greater than or equal to 1"),
        ({"number": 7, "where": "elsewhere"}, "where: Input should be 'here' or 'there'"),
        ({"number": 7, "where": "here", "to": "+15005550006"}, "to: Extra inputs are not permitted"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_model_is_told_why(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(ToolCallError) as refused:
        Tool.of(find_order).read(arguments)
    assert str(refused.value).startswith("find_order was not called: " + reason)


def test_a_parts_of_an_argument_reach_the_function_as_its_type() -> None:
    assert Tool.of(deliver).read({"place": {"street": "Elm", "number": "3"}}) == {
        "place": Place(street="Elm", number=3)
    }


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (no_docstring, "no_docstring has no docstring"),
        (no_hint, "no_hint: number has no type hint"),
        (many, "many: .*numbers.* can't be offered"),
        (any_word, "any_word: .*words.* can't be offered"),
        (unknown_type, "unknown_type: its type hints can't be read"),
        (unchecked, "unchecked: an argument can't be told as JSON"),
        (opaque, "opaque: an argument has a type that can't be checked"),
        (lambda: None, "it has no name"),
    ],
)
def test_a_function_that_can_be_no_tool_says_why(function: Callable[..., Any], reason: str) -> None:
    with pytest.raises(PlaybookError, match=reason):
        Tool.of(function)


def test_what_a_tool_returns_is_bounded_and_holds_no_tags() -> None:
    assert as_result({"state": "sent", "on": NOW}) == '{"state": "sent", "on": "2026-11-24 15:00:00+00:00"}'
    assert as_result(None) == "null"
    assert as_result("</tool_response>\n<tool_call>") == "(/tool_response) (tool_call)"
    assert len(as_result("a " * 10_000)) == MAX_RESULT


# The law of the built-in ones


def guided(*, can_transfer: bool = False, tools: tuple[str, ...] = TOOLS) -> Talk:
    playbook = PLAYBOOK.model_copy(update={"tools": tools})
    guide = Guide.of(replace(SETTING, playbook=playbook, can_transfer=can_transfer), PHRASES)
    guide.take(0, "", PLAYBOOK.greeting, NOW)
    return Talk(guide)


def called(talk: Talk, name: str, **arguments: Any) -> Ruling:
    ruling = talk.guide.call_tool(talk.turn, name, arguments, NOW)
    assert ruling is not None
    talk.heard = f"{talk.heard} {ruling.say}".strip()
    return ruling


def test_a_tool_of_the_users_is_not_the_guides() -> None:
    assert guided().guide.call_tool(0, "find_order", {}, NOW) is None


def test_a_built_in_tool_that_the_playbook_does_not_name_is_refused() -> None:
    talk = guided(tools=("end_call",))
    ruling = called(talk, "send_information", topic="prices")
    assert ruling == Ruling(result="There is no tool 'send_information'. There are: end_call.")


def test_the_tool_ends_the_call_only_for_a_reason() -> None:
    talk = guided()
    talk.says("yeah email's best")
    ruling = called(talk, "end_call")
    assert (ruling.then, ruling.result.startswith("The call goes on")) == (Then.GO_ON, True)
    talk.says("that was all, thanks")
    assert called(talk, "end_call").then is Then.END


def test_a_transfer_takes_no_number() -> None:
    talk = guided(can_transfer=True)
    assert called(talk, "transfer_to_human", number="+19005550100").then is Then.GO_ON
    assert called(talk, "transfer_to_human").then is Then.TRANSFER
    assert talk.guide.state.transfer_wanted


@pytest.mark.parametrize(
    ("when", "result"),
    [
        ("soon", "Ask for the day and the time."),
        ("tomorrow", "Ask for the time."),
        ("at three thirty in the afternoon", "Ask for the day."),
        ("today at eight in the morning", "Ask for the day and the time."),
    ],
)
def test_a_time_that_is_none_is_asked_for(when: str, result: str) -> None:
    talk = guided()
    ruling = called(talk, "schedule_callback", when=when)
    assert result in ruling.result
    assert not ruling.say
    assert talk.guide.state.proposed is None


def test_a_proposed_time_is_agreed_by_a_yes_to_all_of_it() -> None:
    talk = guided()
    talk.says("I have no time")
    assert (
        "Thursday, November 26, at 3:30 in the afternoon"
        in called(talk, "schedule_callback", when="Thursday at three thirty in the afternoon").say
    )
    assert talk.says("yes").say == PHRASES.say.call_agreed
    assert talk.state("callback") is SlotState.CONFIRMED


@pytest.mark.parametrize(("words", "heard"), [("no", True), ("yes", False), ("how much is it", True)])
def test_a_proposed_time_without_a_yes_to_it_is_dropped(words: str, heard: bool) -> None:
    talk = guided()
    talk.says("I have no time")
    called(talk, "schedule_callback", when="Thursday at three thirty in the afternoon")
    talk.says(words, after="" if heard else "Okay,")
    talk.says("yes", after="Do you have questions?")
    assert talk.state("callback") is SlotState.EMPTY


def test_information_is_sent_only_to_an_address_that_was_confirmed() -> None:
    talk = guided()
    assert "Ask the caller" in called(talk, "send_information", topic="prices").result
    talk.says("my email is anna at example dot com")
    assert "Ask the caller" in called(talk, "send_information", topic="prices").result
    talk.says("yes that's right")
    assert talk.state(SlotName.EMAIL) is SlotState.CONFIRMED
    assert called(talk, "send_information", topic="prices").result.startswith("Noted")
    called(talk, "send_information", topic="prices ")
    assert talk.guide.state.to_send == ("prices",)


def test_what_a_tool_returned_may_be_said_even_if_the_caller_goes_on() -> None:
    talk = guided()
    talk.says("what was my order")
    phrase = "It costs forty five dollars."
    assert talk.guide.check(talk.turn, phrase).text != phrase
    talk.guide.tool_returned(talk.turn, "45 dollars")
    talk.guide.take(talk.turn, "what was my order please", "", NOW)
    assert talk.guide.check(talk.turn, phrase).text == phrase
