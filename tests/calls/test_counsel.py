"""Whole calls with the guide: what the model is not asked, and what it is not allowed to say."""

from __future__ import annotations

from telephony_agent.core.events import EndReason, Respond, Synthesize
from telephony_agent.live.sales_desk import SalesDesk, outcome_of
from telephony_agent.sales.disposition import Disposition
from telephony_agent.sales.guide import Guide
from telephony_agent.sales.slots import SlotState
from telephony_agent.sales.values import SlotName
from tests.calls.stage import Call
from tests.sales.talk import PLAYBOOK


class GuidedCall(Call):
    """A call with the guide of the default playbook."""

    def __init__(self, replies: object = (), *, transfers: bool = False, **terms: object) -> None:
        desk = SalesDesk(PLAYBOOK, can_transfer=transfers)
        self.setting = desk.setting("+15005550006")
        self.guide: Guide = desk.guide(self.setting)
        super().__init__(replies, counsel=self.guide, greeting=PLAYBOOK.greeting, transfers=transfers, **terms)  # type: ignore[arg-type]

    @property
    def disposition(self) -> Disposition:
        assert self.hung_up is not None
        return outcome_of(self.guide, self.setting, self.hung_up.reason).disposition


def test_an_opt_out_is_confirmed_without_the_model_and_ends_the_call() -> None:
    call = GuidedCall(["No, please stay! We have a special offer."])
    call.caller_listens()
    call.caller_says("please take me off your list")
    call.caller_listens()
    assert "taking you off our list" in call.heard[1]
    assert not call.sent(Respond)
    assert call.hung_up is not None
    assert call.hung_up.reason is EndReason.AGENT
    assert call.guide.state.opted_out
    assert call.disposition is Disposition.DO_NOT_CALL


def test_an_opt_out_that_is_interrupted_stays_one() -> None:
    call = GuidedCall()
    call.caller_listens()
    call.caller_says("please take me off your list")
    call.caller_waits(1.5)
    call.caller_says("and how much is it anyway", seconds=1.5)
    call.caller_listens()
    assert not call.sent(Respond)
    assert call.hung_up is not None
    assert call.disposition is Disposition.DO_NOT_CALL


def test_who_asks_is_told_that_we_are_a_machine_whatever_the_model_would_say() -> None:
    call = GuidedCall(["No, I am a real person."])
    call.caller_listens()
    call.caller_says("are you a robot")
    call.caller_listens()
    assert "I'm an AI assistant of Bluefinch, not a person" in call.heard[1]
    assert not call.sent(Respond)


def test_a_greeting_that_was_cut_is_made_good_before_anything_else() -> None:
    call = GuidedCall(["It costs nineteen dollars."])
    call.caller_waits(0.5)
    call.caller_says("how much does it cost", seconds=1.4)
    call.caller_listens()
    assert call.turns[0].interrupted
    assert call.heard[1].startswith("This is Ava, the AI assistant of Bluefinch.")
    call.caller_says("yes go on please")
    call.caller_listens()
    assert call.guide.state.disclosed


def test_a_price_that_is_not_in_the_playbook_is_not_spoken() -> None:
    call = GuidedCall(["It costs five dollars a year. Would you like that?"])
    call.caller_listens()
    call.caller_says("how much does it cost")
    call.caller_listens()
    assert "five dollars" not in " ".join(call.heard)
    assert not any("five dollars" in phrase.text for phrase in call.sent(Synthesize) if isinstance(phrase, Synthesize))
    assert "a colleague can answer that" in call.heard[1]


def test_a_price_of_the_playbook_is_spoken_as_the_model_words_it() -> None:
    reply = "The starter plan is nineteen dollars a month. Would you like a fifteen minute demo?"
    call = GuidedCall([reply])
    call.caller_listens()
    call.caller_says("how much does it cost")
    call.caller_listens()
    assert call.heard[1] == reply


def test_a_caller_who_wants_a_person_is_connected() -> None:
    call = GuidedCall(transfers=True)
    call.caller_listens()
    call.caller_says("can I talk to a real person please")
    call.caller_listens()
    assert call.hung_up is not None
    assert call.hung_up.reason is EndReason.TRANSFER
    assert call.disposition is Disposition.TRANSFERRED


def test_a_meeting_is_read_back_by_its_date_and_booked_by_a_yes() -> None:
    call = GuidedCall()
    call.caller_listens()
    call.caller_says("can we meet on Thursday at three thirty in the afternoon")
    call.caller_listens()
    assert "Thursday, November 26, at 3:30 in the afternoon. Is that right?" in call.heard[1]
    call.caller_says("yes that's right")
    call.caller_listens()
    assert call.heard[2] == "Perfect, that is booked. Anything else I can help with?"
    assert not call.sent(Respond)
    assert call.guide.state.slots[SlotName.MEETING].state is SlotState.CONFIRMED
    call.caller_says("thank you goodbye")
    call.caller_listens()
    assert call.hung_up is not None
    assert call.disposition is Disposition.MEETING_BOOKED


def test_who_takes_a_day_back_before_we_answer_has_named_only_the_second() -> None:
    call = GuidedCall(transcribe_s=0.02)
    call.caller_listens()
    call.caller_says("can we meet on Tuesday at ten in the morning")
    call.caller_waits(0.4)
    call.caller_says("can we meet on Tuesday at ten in the morning no sorry Thursday at ten in the morning")
    call.caller_listens()
    assert "Thursday, November 26" in call.heard[1]
    assert "Tuesday" not in call.heard[1]


def test_the_guide_and_the_model_share_a_call() -> None:
    call = GuidedCall(["It works with Google Calendar. How many people work with you?", "Okay, twelve people."])
    call.caller_listens()
    call.caller_says("does it work with Google Calendar")
    call.caller_listens()
    call.caller_says("there are twelve of us")
    call.caller_listens()
    assert len(call.sent(Respond)) == 2
    assert call.guide.state.slots.read_back(SlotName.TEAM_SIZE) == "12"


def test_the_model_hangs_up_on_nobody_who_gives_no_reason() -> None:
    call = GuidedCall(["Thank you for your time, goodbye. [END_CALL]"])
    call.caller_listens()
    call.caller_says("yeah e-mail is best")
    call.caller_listens()
    assert call.heard[-1] == "Thank you for your time, goodbye."
    assert call.hung_up is None


def test_the_model_hangs_up_on_whoever_wants_nothing_else() -> None:
    call = GuidedCall(["Have a good day. [END_CALL]"])
    call.caller_listens()
    call.caller_says("that was all")
    call.caller_listens()
    assert call.hung_up is not None
    assert call.hung_up.reason is EndReason.AGENT


def test_a_doubtful_opt_out_is_asked_about_and_a_yes_ends_the_call() -> None:
    call = GuidedCall([])
    call.caller_listens()
    call.caller_says("consider this number off limits")
    call.caller_listens()
    assert call.heard[-1] == "Shall I take you off our list?"
    call.caller_says("yes")
    call.caller_listens()
    assert call.hung_up is not None
    assert call.guide.state.opted_out
