"""A doubtful opt-out is asked about: whoever may want no more calls is offered that, and a yes takes them off the list.

How the lists of wordings came about, and what the rules made of them when they were new, is told in
``data/doubtful_opt_outs.yaml``.
"""

from __future__ import annotations

from collections.abc import Collection

import pytest

from telephony_agent.sales.guide_state import MAX_REMOVALS, Then
from telephony_agent.sales.sales_phrases import SalesPhrases, Signal
from tests.sales.scripts import scripts
from tests.sales.sentences import lines, wordings
from tests.sales.talk import PHRASES, PLAYBOOK, talk

ODD = wordings("doubtful_opt_outs")
ASKED_OR_RECOGNISED = {Signal.OPT_OUT, Signal.DOUBT}
QUESTION = PHRASES.say.removal
DOUBTFUL, MORE_DOUBTFUL = "consider this number off limits", "my number isn't for your use"
MOST_DOUBTFUL = "go pester somebody else"


def share(phrases: SalesPhrases, texts: Collection[str]) -> float:
    """Return which part of the texts is recognised or asked about."""
    return sum(bool(ASKED_OR_RECOGNISED & phrases.signals_in(text)) for text in texts) / len(texts)


@pytest.mark.parametrize(("name", "least"), [("first", 1.0), ("second", 0.975), ("third", 0.975)])
def test_an_odd_wording_is_recognised_or_asked_about(phrases: SalesPhrases, name: str, least: float) -> None:
    assert share(phrases, ODD[name]) >= least


def test_an_odd_wording_is_recognised_or_asked_about_in_spanish(spanish: SalesPhrases) -> None:
    assert share(spanish, ODD["spanish"]) == 1.0


def test_hardly_anybody_is_asked_in_vain(phrases: SalesPhrases) -> None:
    innocent = [text for name, texts in wordings().items() if name.startswith("innocent") for text in texts]
    assert share(phrases, innocent) <= 0.01
    assert share(phrases, lines("not_opt_outs")) == 0
    said = {words for script in scripts() for words in script.says if not script.opted_out}
    assert len(said) > 150
    assert share(phrases, said) == 0


def test_nobody_is_asked_in_vain_in_spanish(spanish: SalesPhrases) -> None:
    assert share(spanish, [*ODD["spanish_innocent"], *lines("not_opt_outs.es")]) == 0


def test_what_is_an_opt_out_is_no_doubtful_one(phrases: SalesPhrases) -> None:
    assert not any(Signal.DOUBT in phrases.signals_in(text) for text in lines("opt_outs"))


def test_the_question_is_an_offer_of_removal(phrases: SalesPhrases, spanish: SalesPhrases) -> None:
    for language in (phrases, spanish):
        assert language.offers_removal(language.say.removal)
        assert not language.is_offer(language.say.removal)


@pytest.mark.parametrize("answer", ["yes", "yeah that would be really nice of you", "please do, yes", MOST_DOUBTFUL])
def test_yes_or_another_doubt_is_an_opt_out(answer: str) -> None:
    call = talk()
    assert call.says(DOUBTFUL).say == QUESTION
    advice = call.says(answer)
    assert (advice.say, advice.then) == (PHRASES.say.opt_out, Then.END)
    assert call.guide.state.opted_out


def test_no_goes_on_and_is_no_refusal() -> None:
    call = talk()
    call.says(DOUBTFUL)
    assert call.says("no it's fine").say == ""
    assert not call.guide.state.opted_out
    assert call.guide.state.refusals == 0


def test_only_a_new_doubt_is_asked_about_again_and_at_most_twice() -> None:
    call = talk()
    asked = []
    for doubtful in (DOUBTFUL, MORE_DOUBTFUL, MOST_DOUBTFUL):
        asked.append(call.says(doubtful).say == QUESTION)
        assert call.says("no").say == ""
        assert call.says("tell me more").say == ""
    assert asked == [True, True, False]
    assert sum(asked) == MAX_REMOVALS


def test_a_yes_to_a_question_that_was_not_heard_is_no_opt_out() -> None:
    call = talk()
    call.says(DOUBTFUL)
    call.says("yes", after="Shall I")
    assert not call.guide.state.opted_out


def test_a_doubt_is_taken_back_with_its_turn() -> None:
    call = talk()
    call.says(DOUBTFUL)
    call.guide.withdraw(call.turn)
    assert call.guide.state.removals_offered == 0


def test_whoever_has_not_heard_who_we_are_hears_that_before_the_question() -> None:
    advice = talk(greeted=False).says(DOUBTFUL)
    assert advice.say == f"This is Ava, the AI assistant of {PLAYBOOK.company}. {QUESTION}"


def test_a_read_back_waits_for_the_question() -> None:
    call = talk()
    call.says("anna at example dot com", after="What is your e-mail address?")
    assert call.says(DOUBTFUL).say == QUESTION
    assert "anna at example dot com" in call.says("no").say
