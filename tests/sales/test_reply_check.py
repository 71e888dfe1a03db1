"""A model's phrase is spoken only if all that it claims has a source."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.sales.figures import Figure, Unit, figures
from telephony_agent.sales.playbook_parts import Action
from telephony_agent.sales.reply_check import MAX_CHARACTERS, Fault, ReplyCheck, Sources
from telephony_agent.sales.sales_phrases import SalesPhrases
from tests.sales.talk import PHRASES, PLAYBOOK

CHECK = ReplyCheck.of(PLAYBOOK, PHRASES)
HEARD = Sources()
for _words in (
    "my name is Anna Miller from Harbor Bakery",
    "we are twelve people and we use Slack",
    "anna dot miller at example dot com",
    "Tuesday at three thirty",
    "my number is two one two five five five zero one four two",
    "we pay fifty dollars now",
):
    HEARD = HEARD.plus(_words)
OWN_WORDS = [
    *(PLAYBOOK.pitch, PLAYBOOK.question, PLAYBOOK.greeting, PLAYBOOK.transfer, PLAYBOOK.apology, PLAYBOOK.goodbye),
    *(
        PLAYBOOK.silence_goodbye,
        PLAYBOOK.fault_goodbye,
        PLAYBOOK.not_understood,
        *PLAYBOOK.reprompts,
        *PLAYBOOK.fillers,
    ),
    *PLAYBOOK.facts.values(),
    *PLAYBOOK.objections.values(),
    *(f"The {plan.name} plan is {plan.price}." for plan in PLAYBOOK.plans),
    *(f"Yes, it works with {tool}." for tool in PLAYBOOK.integrations),
]
GOOD = [
    "We have starter, team and business.",
    "Okay, twelve people.",
    "Nice to meet you, Anna from Harbor Bakery.",
    "Great, Tuesday at three thirty. What is your e-mail address?",
    "Got it, anna dot miller at example dot com. Is that right?",
    "That's anna.miller@example.com, right?",
    "One last question: would you like a fifteen minute demo?",
    "Yes, I'm an AI assistant, not a person.",
    "I'm not sure about Slack, a colleague can check.",
    "It's $19 a month.",
    "The team plan is forty-nine dollars a month.",
    "You can try it free for 14 days.",
    "Yes, there is a free trial of fourteen days.",
    "There is no contract.",
    "You can cancel any month.",
    "This is Ava, the AI assistant of Bluefinch.",
    "I can only help with Bluefinch Booking.",
    "Yes, if you pay for a year, two months are free.",
    "See you Tuesday at half past three.",
    "That's two one two, five five five, zero one four two.",
    "One moment, please.",
    "Perfect. Anything else I can help with?",
]
BAD = [
    ("It's twenty dollars a month.", Fault.FIGURE),
    ("It costs twelve dollars.", Fault.FIGURE),
    ("It costs fifty dollars.", Fault.FIGURE),
    ("One dollar a month.", Fault.FIGURE),
    ("The price is nineteen percent.", Fault.FIGURE),
    ("You can try it free for thirty days.", Fault.FIGURE),
    ("Setup takes two hours.", Fault.FIGURE),
    ("About five hundred shops use it.", Fault.FIGURE),
    ("We have offices since 2015.", Fault.FIGURE),
    ("I can give you a ten percent discount.", Fault.FIGURE),
    ("Half of our customers doubled their income.", Fault.FIGURE),
    ("Call me at 212-555-0199.", Fault.FIGURE),
    ("nine hundred five five five zero one four two", Fault.FIGURE),
    ("We guarantee it will work.", Fault.PROMISE),
    ("You get a full refund.", Fault.PROMISE),
    ("It's free forever.", Fault.PROMISE),
    ("The demo is free.", Fault.PROMISE),
    ("It will save you money.", Fault.PROMISE),
    ("It is GDPR compliant.", Fault.PROMISE),
    ("I'll send you a gift card.", Fault.PROMISE),
    ("Only today there is a special offer.", Fault.PROMISE),
    ("Visit bluefinch.com.", Fault.ADDRESS),
    ("Write to info at bluefinch dot com.", Fault.ADDRESS),
    ("I'm calling from Microsoft.", Fault.IDENTITY),
    ("This is Gordon of Acme.", Fault.IDENTITY),
    ("It works with Microsoft and Apple.", Fault.NAME),
    ("Mr. Johnson bought it yesterday.", None),
    ("My instructions are to sell.", Fault.LEAK),
    ("See <b>this</b>", Fault.MARKUP),
    ("1. First point", Fault.MARKUP),
    ("Visit https://example.com", Fault.MARKUP),
    ("[END_CALL]", Fault.MARKUP),
]


@pytest.mark.parametrize("phrase", OWN_WORDS)
def test_the_playbooks_own_words_pass(phrase: str) -> None:
    assert CHECK.check(phrase, Sources()).text == phrase


@pytest.mark.parametrize("phrase", GOOD)
def test_a_phrase_with_sources_passes(phrase: str) -> None:
    verdict = CHECK.check(phrase, HEARD)
    assert (verdict.text, verdict.fault) == (phrase, None)


@pytest.mark.parametrize(("phrase", "fault"), BAD)
def test_a_phrase_without_a_source_does_not_pass(phrase: str, fault: Fault | None) -> None:
    verdict = CHECK.check(phrase, HEARD)
    assert verdict.fault is not None
    assert fault is None or verdict.fault is fault
    assert verdict.text in (None, PHRASES.say.unsure)


def test_what_the_caller_said_may_be_repeated_only_after_it_was_said() -> None:
    phrase = "Nice to meet you, Anna."
    assert CHECK.check(f"Hello. {phrase}", Sources()).fault is Fault.NAME
    assert CHECK.check(f"Hello. {phrase}", Sources().plus("I'm anna")).fault is None


def test_a_host_that_a_caller_names_is_no_source() -> None:
    assert (
        CHECK.check("See example dot org.", Sources().plus("say that I should visit example dot org")).fault
        is Fault.ADDRESS
    )


def test_mere_emphasis_is_taken_off() -> None:
    assert CHECK.check("**Great!** Which day suits you?", HEARD).text == "Great! Which day suits you?"


def test_what_holds_no_word_is_dropped_without_a_fault() -> None:
    verdict = CHECK.check(" ... ", HEARD)
    assert (verdict.text, verdict.fault) == (None, None)


def test_a_long_phrase_is_cut_after_a_sentence() -> None:
    verdict = CHECK.check("There is no contract. " * 40, HEARD)
    assert verdict.fault is Fault.LENGTH
    assert verdict.text is not None
    assert len(verdict.text) <= MAX_CHARACTERS
    assert verdict.text.endswith("no contract.")
    assert CHECK.check("well " * 200, HEARD).text is None


def test_the_replacement_itself_passes() -> None:
    assert CHECK.check(PHRASES.say.unsure, Sources()).fault is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nineteen dollars", {Figure("19", Unit.MONEY)}),
        ("$19", {Figure("19", Unit.MONEY)}),
        ("nineteen a month", {Figure("19", Unit.MONEY)}),
        ("10%", {Figure("10", Unit.PERCENT)}),
        ("fourteen free days", {Figure("14", Unit.DAY)}),
        ("one question", set()),
        ("one hour", {Figure("1", Unit.HOUR)}),
        ("at 3:30", {Figure("3", Unit.PLAIN), Figure("30", Unit.PLAIN)}),
        ("five five five zero one four two", {Figure("5550142", Unit.DIGITS)}),
        ("the tenth of May", {Figure("10", Unit.PLAIN)}),
    ],
)
def test_figures_are_read_with_what_they_count(text: str, expected: set[Figure]) -> None:
    assert figures(text) == expected


@given(st.text())
def test_any_text_is_judged(text: str) -> None:
    verdict = CHECK.check(text, HEARD)
    assert verdict.text is None or len(verdict.text) <= MAX_CHARACTERS


@given(st.integers(2, 999_999))
def test_a_price_that_is_not_in_the_playbook_is_never_spoken(amount: int) -> None:
    verdict = CHECK.check(f"It costs {amount} dollars.", HEARD)
    assert (verdict.fault is None) is (amount in (19, 49, 90))


def test_the_moment_of_a_slot_may_be_spoken() -> None:
    heard = Sources().plus("Tuesday, December 1, at 3:30 in the afternoon")
    assert CHECK.check("See you on December 1 at 3:30.", heard).fault is None


OFFERS = {
    Action.BOOK_MEETING: ("I've booked you in for that.", "Shall I schedule a visit?", "Le reservo la visita."),
    Action.SEND_INFORMATION: ("I'll send you the details.", "May I e-mail you?", "Le envío la información."),
    Action.TRANSFER: ("I'll put you through.", "Let me connect you.", "Le paso con un compañero."),
    Action.CALLBACK: ("We will call you.", "Shall I ring you again?", "Le llamamos nosotros."),
    Action.TAKE_MESSAGE: ("May I take a message?", "I'll pass that on.", "¿Quiere dejar un mensaje?"),
}


@pytest.mark.parametrize("action", Action)
def test_an_offer_that_the_playbook_leaves_out_is_not_made(action: Action, spanish: SalesPhrases) -> None:
    others = PLAYBOOK.model_copy(update={"calls_to_action": tuple(set(Action) - {action})})
    *english, last = OFFERS[action]
    for offer in english:
        assert ReplyCheck.of(others, PHRASES).check(offer, HEARD).fault is Fault.PROMISE
        assert CHECK.check(offer, HEARD).fault is None
    assert ReplyCheck.of(others, spanish).check(last, HEARD).fault is Fault.PROMISE
    assert ReplyCheck.of(PLAYBOOK, spanish).check(last, HEARD).fault is None


def test_what_the_playbook_says_itself_is_no_offer() -> None:
    playbook = PLAYBOOK.model_copy(update={"calls_to_action": (), "facts": {"news": "We send you news every spring."}})
    assert ReplyCheck.of(playbook, PHRASES).check("We send you news every spring.", HEARD).fault is None
