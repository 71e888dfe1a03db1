"""What a person is whispered of a call, and what a caller is told whom no person took."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from telephony_agent.sales.guide import Guide
from telephony_agent.sales.guide_state import Advice, GuideState, Setting, Then
from telephony_agent.sales.handover import whisper as whisper_in
from telephony_agent.sales.lead import Lead
from telephony_agent.sales.playbook_parts import Action
from telephony_agent.sales.sales_phrases import SalesPhrases
from telephony_agent.sales.slots import Slots
from telephony_agent.sales.values import SlotName
from tests.sales.talk import PLAYBOOK

NOW = datetime(2026, 11, 24, 15, tzinfo=UTC)
NOBODY = Lead(name="unknown", phone="+15005550006")
ANNA = Lead(name="Anna Miller", phone="+15005550006", company="Acme")


def whisper(lead: Lead, state: GuideState, *, language: str = "en", broken_off: bool = False) -> str:
    return whisper_in(SalesPhrases.shipped(language).whisper, lead, state, broken_off=broken_off)


def guide(*actions: Action) -> Guide:
    playbook = PLAYBOOK.model_copy(update={"calls_to_action": actions})
    return Guide.of(Setting(playbook, NOBODY, "UTC", can_transfer=True), SalesPhrases.shipped())


def knowing(**values: str) -> GuideState:
    slots = Slots()
    for name, value in values.items():
        slots = slots.hear({SlotName(name): value})
    return GuideState(slots=slots, transfer_wanted=True)


def test_of_a_caller_of_whom_nothing_is_known_just_that_is_said() -> None:
    assert whisper(NOBODY, knowing()) == "A call for you from a caller. They asked for a person."


def test_a_lead_is_named_with_their_company() -> None:
    assert whisper(ANNA, GuideState()).startswith("A call for you from Anna Miller of Acme. They are to be")


def test_what_the_caller_told_us_goes_before_what_we_knew_and_is_told() -> None:
    said = whisper(ANNA, knowing(name="Ben", need="online booking", team_size="12"))
    assert said.startswith("A call for you from Ben of Acme.")
    assert "They told us: need, online booking; team size, 12." in said or "team size, 12; need, online" in said


def test_numbers_and_addresses_are_not_read_out() -> None:
    said = whisper(ANNA, knowing(email="anna@example.com", phone="+15005550006"))
    assert "example" not in said
    assert "500" not in said


def test_a_long_story_is_cut_at_a_word() -> None:
    said = whisper(NOBODY, knowing(message="a long story " * 100))
    assert len(said) < 400
    assert said.endswith("and so on.")


@pytest.mark.parametrize(
    ("action", "asks_for"),
    [(Action.CALLBACK, SlotName.CALLBACK), (Action.TAKE_MESSAGE, SlotName.MESSAGE), (Action.BOOK_MEETING, None)],
)
def test_who_gets_no_person_is_offered_what_the_playbook_offers_instead(
    action: Action, asks_for: SlotName | None
) -> None:
    told = guide(action, Action.TRANSFER)
    words = told.nobody_came()
    assert told.state.asking == asks_for
    assert told.state.callback_wanted is (action is Action.CALLBACK)
    assert words == PLAYBOOK.untaken if action is Action.CALLBACK else words != PLAYBOOK.untaken


def test_after_that_nobody_is_handed_over_however_often_they_ask() -> None:
    told = guide(Action.CALLBACK, Action.TRANSFER)
    told.take(1, "what is it", PLAYBOOK.greeting, NOW)
    before = told.has_person
    told.nobody_came()
    assert (before, told.has_person) == (True, False)
    for turn in (2, 3):
        assert told.take(turn, "can I talk to a real person", PLAYBOOK.untaken, NOW) == Advice(PLAYBOOK.untaken)
    assert told.state.asking == SlotName.CALLBACK


def test_who_has_agreed_to_be_called_back_is_not_asked_for_the_time_again() -> None:
    told = guide(Action.CALLBACK, Action.TRANSFER)
    told.take(1, "what is it", PLAYBOOK.greeting, NOW)
    told.nobody_came()
    read_back = told.take(2, "tomorrow at ten in the morning", PLAYBOOK.untaken, NOW).say
    agreed = told.take(3, "yes that's right", read_back, NOW).say
    assert told.take(4, "can I talk to a real person", agreed, NOW).say == SalesPhrases.shipped().say.nobody_yet


def test_the_model_too_gets_nobody_after_that() -> None:
    playbook = PLAYBOOK.model_copy(update={"tools": ("transfer_to_human",)})
    told = Guide.of(Setting(playbook, NOBODY, "UTC", can_transfer=True), SalesPhrases.shipped())
    told.take(1, "what is it", PLAYBOOK.greeting, NOW)
    told.nobody_came()
    ruling = told.call_tool(1, "transfer_to_human", {}, NOW)
    assert ruling is not None
    assert (ruling.then, ruling.say) == (Then.GO_ON, "")


def test_after_a_fault_the_person_is_told_that_the_talk_broke_off() -> None:
    said = whisper(ANNA, knowing(), broken_off=True)
    assert said == (
        "A call for you from Anna Miller of Acme. Our talk with them broke off, because of a technical problem."
    )


def test_a_person_is_told_in_the_playbooks_language() -> None:
    said = whisper(ANNA, knowing(need="una agenda"), language="es")
    assert said == (
        "Tiene una llamada de Anna Miller, de Acme. Ha pedido hablar con una persona. "
        "Nos ha dicho: necesidad, una agenda."
    )


def test_a_brace_in_what_a_caller_says_is_no_placeholder() -> None:
    assert "{company} of Acme" in whisper(ANNA, knowing(name="{company}"))
