"""The rules against the grammar that the pocket models are trained on: wordings by the hundred, picked by nobody."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

import pytest

from scripts.pocket_models.dialogues import dialogues
from scripts.pocket_models.lexicon import REAL_WORDS
from scripts.pocket_models.sentences import INTENTS, Sentence, caller_sentence
from telephony_agent.sales.contacts import email_in_words
from telephony_agent.sales.extraction import Listening, heard_values
from telephony_agent.sales.playbook import END_CALL
from telephony_agent.sales.reply_check import ReplyCheck, Sources
from telephony_agent.sales.sales_phrases import Signal
from telephony_agent.sales.values import SlotName, Value
from telephony_agent.sales.words import sentences
from tests.sales.talk import PHRASES, PLAYBOOK

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
EACH = 60
WANTS = {
    "opt_out": Signal.OPT_OUT,
    "wrong_number": Signal.WRONG_NUMBER,
    "are_you_robot": Signal.ROBOT,
    "human": Signal.PERSON,
    "not_interested": Signal.REFUSAL,
}
GIVES = {
    "give_email": SlotName.EMAIL,
    "give_size": SlotName.TEAM_SIZE,
    "give_name": SlotName.NAME,
    "give_company": SlotName.COMPANY,
    "introduce": SlotName.COMPANY,
    "book": SlotName.MEETING,
    "give_day": SlotName.MEETING,
    "give_time": SlotName.MEETING,
    "change_day": SlotName.MEETING,
    "call_on_day": SlotName.CALLBACK,
}


def said(intent: str) -> Iterator[Sentence]:
    rng = random.Random(f"sales {intent}")
    for _ in range(EACH):
        yield caller_sentence(rng, split="train", intent=intent, words=REAL_WORDS)


def hear(sentence: Sentence, asked: SlotName | None) -> dict[SlotName, Value]:
    callback = Signal.CALLBACK in PHRASES.signals_in(sentence.text)
    listening = Listening(NOW, "America/New_York", "+12125550199", asked=asked, wants_callback=callback)
    return dict(heard_values(sentence.text, listening))


@pytest.mark.parametrize(("intent", "signal"), WANTS.items())
def test_what_must_not_be_missed_is_recognised_in_every_wording(intent: str, signal: Signal) -> None:
    assert [sentence.text for sentence in said(intent) if signal not in PHRASES.signals_in(sentence.text)] == []


@pytest.mark.parametrize("intent", sorted(set(INTENTS) - WANTS.keys()))
def test_nothing_else_is_taken_for_it(intent: str) -> None:
    final = {Signal.OPT_OUT, Signal.WRONG_NUMBER, Signal.PERSON, Signal.ROBOT}
    assert [sentence.text for sentence in said(intent) if final & PHRASES.signals_in(sentence.text)] == []


@pytest.mark.parametrize("intent", sorted(set(INTENTS) - GIVES.keys() - {"not_decider"}))
def test_who_gives_no_value_fills_no_slot(intent: str) -> None:
    assert [sentence.text for sentence in said(intent) if hear(sentence, None)] == []


@pytest.mark.parametrize(("intent", "slot"), GIVES.items())
def test_an_answer_nearly_always_fills_its_slot_and_no_other(intent: str, slot: SlotName) -> None:
    heard = [hear(sentence, slot) for sentence in said(intent)]
    also = {SlotName.NAME} if intent == "introduce" else set()
    assert all(set(values) <= {slot} | also for values in heard)
    assert sum(slot in values for values in heard) >= 0.9 * EACH


def test_values_are_the_ones_that_were_said() -> None:
    for sentence in said("give_email"):
        assert email_in_words(str(hear(sentence, SlotName.EMAIL)[SlotName.EMAIL])) == sentence.slots["email"]
    for sentence in said("introduce"):
        values = hear(sentence, None)
        assert (values[SlotName.NAME], values[SlotName.COMPANY]) == (sentence.slots["name"], sentence.slots["company"])


def test_the_reference_agents_replies_pass_the_check() -> None:
    check = ReplyCheck.of(PLAYBOOK, PHRASES)
    spoken, refused = 0, []
    for dialogue in islice((one for one in dialogues(7) if one.world.playbook == PLAYBOOK), 100):
        heard = Sources()
        for turn in dialogue.turns:
            heard = heard.plus(turn.heard)
            if turn.fixed:  # the guide's own words, which nobody judges
                continue
            for phrase in sentences(turn.reply.wordings[0].replace(END_CALL, "")):
                spoken += 1
                if check.check(phrase, heard).fault is not None:
                    refused.append((turn.heard, phrase))
    assert spoken > 500
    assert len(refused) <= 0.002 * spoken, refused
