"""The record of a call."""

from __future__ import annotations

from datetime import UTC, datetime

from telephony_agent.sales.disposition import CallEnd, Disposition, LineResult
from telephony_agent.sales.lead import Consent, ConsentBasis, Lead
from telephony_agent.sales.outcome import Outcome, conclude
from telephony_agent.sales.playbook import Playbook
from telephony_agent.sales.playbooks import shipped_text
from telephony_agent.sales.values import SlotName
from tests.sales.talk import Talk, talk

CONSENT = Consent(ConsentBasis.WRITTEN, "You may call me.", datetime(2026, 1, 5, tzinfo=UTC))
LEAD = Lead("Anna Miller", "+12125550199", company="Harbor Bakery", consent=CONSENT)


def outcome(call: Talk, end: CallEnd | None = CallEnd.GOODBYE) -> Outcome:
    guide = call.guide
    return conclude(LEAD, guide.state, guide.findings, LineResult.ANSWERED, end)


def test_a_booked_meeting_has_its_absolute_time_and_zone() -> None:
    call = talk()
    call.says("we are twelve people")
    call.says("that's too expensive")
    call.says("okay how about Tuesday at three thirty")
    call.says("yes")
    result = outcome(call)
    assert result.disposition is Disposition.MEETING_BOOKED
    assert result.next_step is not None
    assert result.next_step.kind is SlotName.MEETING
    assert result.next_step.at is not None
    assert result.next_step.at.isoformat() == "2026-12-01T15:30:00-05:00"
    assert result.next_step.zone == "America/New_York"
    assert result.summary == (
        "Anna Miller of Harbor Bakery: meeting booked, Tuesday, December 1, at 3:30 in the afternoon. "
        "Told us: team size 12. Objections: price."
    )
    assert result.hubspot == "Connected"
    assert result.consent is CONSENT
    assert result.disclosed


def test_a_callback_without_a_time_says_so() -> None:
    call = talk()
    call.says("call me back later")
    result = outcome(call)
    assert result.disposition is Disposition.CALLBACK
    assert result.next_step is not None
    assert (result.next_step.at, result.next_step.words) == (None, "at a time that was not named")


def test_a_slot_of_the_playbooks_own_is_told_like_the_others() -> None:
    call = talk(playbook=Playbook.parse(shipped_text("appointment-reminder")))
    call.says("yes, I can come")
    result = outcome(call)
    assert (result.disposition, result.next_step) == (Disposition.MEETING_BOOKED, None)
    assert result.told == {"appointment": "kept"}
    assert result.summary == "Anna Miller of Harbor Bakery: meeting booked. Told us: appointment kept."


def test_an_opt_out_is_in_the_record() -> None:
    call = talk()
    call.says("stop calling me")
    result = outcome(call, CallEnd.AGENT)
    assert (result.disposition, result.opted_out, result.next_step) == (Disposition.DO_NOT_CALL, True, None)


def test_a_call_in_which_nothing_was_said_has_a_record_too() -> None:
    guide = talk(greeted=False).guide
    result = conclude(LEAD, guide.state, guide.findings, LineResult.BUSY, None)
    assert (result.disposition, result.hubspot, result.disclosed) == (Disposition.NOT_REACHED, "Busy", False)
    assert result.summary == "Anna Miller of Harbor Bakery: not reached."
