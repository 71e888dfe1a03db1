"""What a person is whispered of a call, and what a caller is told whom no person took."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from telephony_agent.sales import handover
from telephony_agent.sales.guide import Guide
from telephony_agent.sales.guide_state import GuideState, Setting
from telephony_agent.sales.lead import Lead
from telephony_agent.sales.playbook_parts import Action
from telephony_agent.sales.sales_phrases import SalesPhrases
from telephony_agent.sales.slots import Slots
from telephony_agent.sales.values import SlotName
from tests.sales.talk import PLAYBOOK

NOW = datetime(2026, 11, 24, 15, tzinfo=UTC)
NOBODY = Lead(name="unknown", phone="+15005550006")
ANNA = Lead(name="Anna Miller", phone="+15005550006", company="Acme")


def guide(*actions: Action) -> Guide:
    playbook = PLAYBOOK.model_copy(update={"calls_to_action": actions})
    return Guide(Setting(playbook, NOBODY, "UTC", can_transfer=True), SalesPhrases.shipped())


def knowing(**values: str) -> GuideState:
    slots = Slots()
    for name, value in values.items():
        slots = slots.hear({SlotName(name): value})
    return GuideState(slots=slots, transfer_wanted=True)


def test_of_a_caller_of_whom_nothing_is_known_just_that_is_said() -> None:
    assert handover.whisper(NOBODY, knowing()) == "A call for you from a caller. They asked for a person."


def test_a_lead_is_named_with_their_company() -> None:
    assert handover.whisper(ANNA, GuideState()).startswith("A call for you from Anna Miller of Acme. They are to be")


def test_what_the_caller_told_us_goes_before_what_we_knew_and_is_told() -> None:
    said = handover.whisper(ANNA, knowing(name="Ben", need="online booking", team_size="12"))
    assert said.startswith("A call for you from Ben of Acme.")
    assert "They told us: need, online booking; team size, 12." in said or "team size, 12; need, online" in said


def test_numbers_and_addresses_are_not_read_out() -> None:
    said = handover.whisper(ANNA, knowing(email="anna@example.com", phone="+15005550006"))
    assert "example" not in said
    assert "500" not in said


def test_a_long_story_is_cut_at_a_word() -> None:
    said = handover.whisper(NOBODY, knowing(message="a long story " * 100))
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


def test_after_that_nobody_is_handed_over() -> None:
    told = guide(Action.CALLBACK, Action.TRANSFER)
    told.take(1, "what is it", PLAYBOOK.greeting, NOW)
    told.nobody_came()
    assert told.take(2, "can I talk to a real person", PLAYBOOK.untaken, NOW).then == "go_on"
