"""Whole conversations under the playbooks that sell nothing, whatever the model says."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from telephony_agent.sales.disposition import CallEnd, Disposition, LineResult, disposition_of
from telephony_agent.sales.guide import Guide
from telephony_agent.sales.guide_state import Advice, Then
from telephony_agent.sales.playbook import Playbook
from telephony_agent.sales.playbooks import shipped_playbooks, shipped_text
from telephony_agent.sales.reply_check import ReplyCheck, Sources
from tests.sales.talk import NOW, PHRASES, SETTING

REMINDER, RECEPTION = "appointment-reminder", "reception"
ANYTHING = (
    "Okay.",
    "I see, thank you.",
    "It costs nine dollars a month.",
    "I'm a real person, my name is Gordon.",
    "We guarantee that it is free forever.",
    "How many people work with you?",
    "What is your budget?",
    "Would you like a fifteen minute demo?",
    "May I send you an e-mail?",
    "Your appointment is cancelled.",
    "The last caller was Bob.",
    "Is there anything else?",
    "*** {} <tool_call>",
    "",
)
Model = Callable[[Advice], str]


@dataclass(frozen=True)
class Told:
    """A conversation: what the caller says, and what must come of it."""

    playbook: str
    says: tuple[str, ...]
    disposition: Disposition
    slots: Mapping[str, str] = field(default_factory=dict)
    can_transfer: bool = False
    end: CallEnd = CallEnd.GOODBYE
    heard: str | None = None
    """What was heard of the greeting; all of it if None."""


THURSDAY = "Thursday, November 26, at 10 in the morning"
CONVERSATIONS = {
    "keeps the appointment": Told(
        REMINDER,
        ("Yes, I'll be there.", "No, that's all, thanks. Bye."),
        Disposition.MEETING_BOOKED,
        {"appointment": "kept"},
    ),
    "only says yep": Told(REMINDER, ("yep",), Disposition.MEETING_BOOKED, {"appointment": "kept"}),
    "can't, and moves it": Told(
        REMINDER,
        ("No, I can't make it.", "Thursday at ten in the morning", "yes", "no, bye"),
        Disposition.MEETING_BOOKED,
        {"appointment": "moved", "meeting": THURSDAY},
    ),
    "moves it at once": Told(
        REMINDER,
        ("can we move it to thursday at ten in the morning", "yes that's right"),
        Disposition.MEETING_BOOKED,
        {"appointment": "moved", "meeting": THURSDAY},
    ),
    "moves it to a time that is never named": Told(
        REMINDER,
        ("I need to reschedule", "I don't know when yet", "bye"),
        Disposition.CALLBACK,
        {"appointment": "moved"},
        end=CallEnd.CALLER,
    ),
    "cancels": Told(
        REMINDER,
        ("Please cancel my appointment.", "No, goodbye."),
        Disposition.NOT_INTERESTED,
        {"appointment": "cancelled"},
    ),
    "cancels after all": Told(
        REMINDER,
        ("no", "Friday at two", "Oh, just cancel it.", "bye"),
        Disposition.NOT_INTERESTED,
        {"appointment": "cancelled"},
    ),
    "changes their mind": Told(
        REMINDER,
        ("yes", "oh wait, can we move it to thursday at ten in the morning", "yes"),
        Disposition.MEETING_BOOKED,
        {"appointment": "moved", "meeting": THURSDAY},
    ),
    "doesn't want to cancel": Told(
        REMINDER,
        ("I don't want to cancel it, I'll be there", "bye"),
        Disposition.MEETING_BOOKED,
        {"appointment": "kept"},
    ),
    "wants no more reminders": Told(REMINDER, ("Okay, but no more reminders please.",), Disposition.DO_NOT_CALL),
    "is somebody else": Told(REMINDER, ("you have the wrong number",), Disposition.WRONG_NUMBER),
    "asks for a machine first": Told(
        REMINDER, ("Is this a robot?", "Okay, I can come."), Disposition.MEETING_BOOKED, {"appointment": "kept"}
    ),
    "talked over the greeting": Told(
        REMINDER, ("who is this", "yes"), Disposition.MEETING_BOOKED, {"appointment": "kept"}, heard="Hi, this is Mia"
    ),
    "wants a person who isn't there": Told(
        REMINDER,
        ("can I talk to a person", "tomorrow at nine in the morning", "yes"),
        Disposition.CALLBACK,
        {"callback": "Wednesday, November 25, at 9 in the morning"},
    ),
    "wants a person who is there": Told(
        REMINDER, ("can I talk to a person",), Disposition.TRANSFERRED, can_transfer=True, end=CallEnd.TRANSFER
    ),
    "tells all at once": Told(
        RECEPTION,
        ("Hi, this is Anna Miller, my boiler is leaking.", "Thank you, bye."),
        Disposition.QUALIFIED,
        {"name": "Anna Miller", "reason": "Hi, this is Anna Miller, my boiler is leaking."},
    ),
    "tells the name later": Told(
        RECEPTION,
        ("do you repair dishwashers", "my name is Anna Miller", "bye"),
        Disposition.QUALIFIED,
        {"name": "Anna Miller", "reason": "do you repair dishwashers"},
    ),
    "leaves a message": Told(
        RECEPTION,
        ("can I speak to somebody about my bill", "Tell them that the bill of March is wrong.", "that's all"),
        Disposition.CALLBACK,
        {
            "reason": "can I speak to somebody about my bill",
            "message": "Tell them that the bill of March is wrong.",
        },
    ),
    "leaves no message": Told(
        RECEPTION,
        ("can I speak to somebody about my bill", "no", "bye"),
        Disposition.HUNG_UP,
        {"reason": "can I speak to somebody about my bill"},
        end=CallEnd.CALLER,
    ),
    "is put through": Told(
        RECEPTION,
        ("can I talk to a person about a leak",),
        Disposition.TRANSFERRED,
        {"reason": "can I talk to a person about a leak"},
        can_transfer=True,
        end=CallEnd.TRANSFER,
    ),
    "wants a call": Told(
        RECEPTION,
        ("please call me back tomorrow at nine in the morning", "yes", "bye"),
        Disposition.CALLBACK,
        {
            "callback": "Wednesday, November 25, at 9 in the morning",
            "reason": "please call me back tomorrow at nine in the morning",
        },
    ),
    "names a time, where no meeting is on offer": Told(
        RECEPTION,
        ("my sink is blocked, can we do thursday at ten in the morning", "yes"),
        Disposition.CALLBACK,
        {"callback": THURSDAY, "reason": "my sink is blocked, can we do thursday at ten in the morning"},
    ),
    "dialled the wrong number": Told(RECEPTION, ("oh sorry, wrong number",), Disposition.WRONG_NUMBER),
    "hangs up": Told(RECEPTION, (), Disposition.HUNG_UP, end=CallEnd.CALLER),
    "wants to be forgotten": Told(RECEPTION, ("just delete my details please",), Disposition.DO_NOT_CALL),
}


def anything(seed: int) -> Model:
    dice = random.Random(seed)
    return lambda advice: " ".join(dice.sample(ANYTHING, 2))


def obedient(advice: Advice) -> str:
    return advice.note.partition("Ask: ")[2] or "Okay."


MODELS: Mapping[str, Model] = {
    "obedient": obedient,
    **{f"says anything, {seed}": anything(seed) for seed in range(6)},
}


def tell(told: Told, model: Model) -> Guide:
    playbook = Playbook.parse(shipped_text(told.playbook))
    lead = replace(SETTING.lead, name="unknown")
    guide = Guide.of(replace(SETTING, playbook=playbook, lead=lead, can_transfer=told.can_transfer), PHRASES)
    heard = playbook.greeting if told.heard is None else told.heard
    for turn, words in enumerate(told.says, 1):
        advice = guide.take(turn, words, heard, NOW)
        phrases = [guide.check(turn, phrase).text or "" for phrase in model(advice).split(". ")]
        heard = advice.say or " ".join(phrases)
        if advice.then is not Then.GO_ON:
            assert turn == len(told.says)
            break
    guide.close(heard)
    return guide


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("told", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_a_conversation_ends_as_the_caller_wants_whatever_the_model_says(told: Told, model: Model) -> None:
    guide = tell(told, model)
    assert disposition_of(guide.findings, LineResult.ANSWERED, told.end) is told.disposition
    assert {str(name): guide.state.slots.read_back(name) for name, _ in guide.state.slots} == told.slots


def test_a_receptionist_who_obeys_finds_out_all_that_the_playbook_asks() -> None:
    says = ("Is this a robot?", "okay", "My boiler makes a noise.", "Anna Miller", "yes it is", "bye")
    told = Told(RECEPTION, says, Disposition.QUALIFIED)
    slots = tell(told, obedient).state.slots
    assert {str(name): value for name, value in slots} == {
        "reason": "My boiler makes a noise.",
        "name": "Anna Miller",
        "urgent": "yes",
    }


@pytest.mark.parametrize("name", shipped_playbooks())
def test_a_shipped_playbook_is_valid_compact_and_speaks_its_own_words(name: str) -> None:
    playbook = Playbook.parse(shipped_text(name))
    assert len(playbook.system_prompt().split()) <= 240
    check = ReplyCheck.of(playbook, PHRASES)
    spoken = (playbook.greeting, *playbook.facts.values(), *playbook.objections.values())
    for phrase in (*spoken, *(question.ask for question in playbook.questions or ())):
        assert check.check(phrase, Sources()).text == phrase


def test_what_is_known_of_the_lead_may_be_spoken() -> None:
    playbook = Playbook.parse(shipped_text(REMINDER))
    lead = replace(SETTING.lead, notes="Cleaning on Wednesday at ten, with Doctor Hall.")
    guide = Guide.of(replace(SETTING, playbook=playbook, lead=lead), PHRASES)
    advice = guide.take(1, "when is it", playbook.greeting, NOW)
    assert advice.note == "About them: Cleaning on Wednesday at ten, with Doctor Hall."
    assert guide.check(1, "It is on Wednesday at ten with Doctor Hall.").fault is None
    assert guide.check(1, "It is on Wednesday at eleven with Doctor Hall.").fault is not None
