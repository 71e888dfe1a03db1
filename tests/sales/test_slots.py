"""The states of a slot."""

from __future__ import annotations

from datetime import date, time

from telephony_agent.sales.moments import Moment
from telephony_agent.sales.slots import Slots, SlotState
from telephony_agent.sales.values import SlotName

ZONE = "America/New_York"


def test_a_slot_goes_from_empty_over_heard_to_confirmed() -> None:
    slots = Slots()
    assert slots[SlotName.EMAIL].state is SlotState.EMPTY
    slots = slots.hear({SlotName.EMAIL: "anna@example.com"})
    assert slots[SlotName.EMAIL].state is SlotState.HEARD
    assert slots.confirm(SlotName.EMAIL)[SlotName.EMAIL].state is SlotState.CONFIRMED


def test_a_new_value_replaces_a_confirmed_one_and_must_be_confirmed_again() -> None:
    slots = Slots().hear({SlotName.EMAIL: "anna@example.com"}).confirm(SlotName.EMAIL)
    slots = slots.hear({SlotName.EMAIL: "bob@example.com"})
    assert (slots[SlotName.EMAIL].state, slots[SlotName.EMAIL].value) == (SlotState.HEARD, "bob@example.com")


def test_the_same_value_again_leaves_a_confirmed_slot_confirmed() -> None:
    slots = Slots().hear({SlotName.EMAIL: "anna@example.com"}).confirm(SlotName.EMAIL)
    assert slots.hear({SlotName.EMAIL: "anna@example.com"}) == slots


def test_a_denied_value_is_dropped_and_counted() -> None:
    slots = Slots().hear({SlotName.PHONE: "+12125550142"}).fail(SlotName.PHONE)
    assert (slots[SlotName.PHONE].value, slots[SlotName.PHONE].failures) == (None, 1)
    assert slots.hear({SlotName.PHONE: "+12125550143"})[SlotName.PHONE].failures == 1


def test_a_time_is_merged_with_the_day_that_is_known() -> None:
    slots = Slots().hear({SlotName.MEETING: Moment(ZONE, day=date(2026, 12, 1))})
    slots = slots.hear({SlotName.MEETING: Moment(ZONE, at=time(15, 30))})
    assert slots.read_back(SlotName.MEETING) == "Tuesday, December 1, at 3:30 in the afternoon"


def test_a_declined_slot_has_no_value() -> None:
    slots = Slots().hear({SlotName.EMAIL: "anna@example.com"}).decline(SlotName.EMAIL)
    assert slots[SlotName.EMAIL].state is SlotState.DECLINED
    assert dict(slots) == {}


def test_slots_never_change() -> None:
    before = Slots()
    before.hear({SlotName.NAME: "Anna"})
    assert dict(before) == {}
