"""What a playbook and the phrases of its language come to for a guide: made once, and shared by all calls by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from telephony_agent.sales.fixed_words import fixed_words
from telephony_agent.sales.playbook import Playbook
from telephony_agent.sales.questions import Questions
from telephony_agent.sales.reply_check import ReplyCheck
from telephony_agent.sales.sales_phrases import SalesPhrases


@dataclass(frozen=True, slots=True)
class Rulebook:
    """The rules of one playbook."""

    phrases: SalesPhrases
    """Of the language, with the playbook's own words for an opt-out among them."""
    questions: Questions
    say: Mapping[str, str]
    """The words that are spoken as they stand."""
    check: ReplyCheck

    @classmethod
    def of(cls, playbook: Playbook, phrases: SalesPhrases) -> Self:
        """Make the rulebook of a playbook. It takes some milliseconds, in which no live call has its turn."""
        return cls(
            phrases.with_opt_outs(playbook.opt_out_phrases),
            Questions.of(playbook, phrases),
            fixed_words(phrases, playbook),
            ReplyCheck.of(playbook, phrases),
        )
