"""Opt-outs as callers word them, and lines that only sound like one: rounds of fresh ones, each new to the rules once.

What the rules made of a round when it was new is told in ``data/opt_out_wordings.yaml``.
"""

from __future__ import annotations

import pytest

from telephony_agent.sales.sales_phrases import SalesPhrases, Signal
from tests.sales.sentences import wordings

ROUNDS = wordings()
INNOCENT = "innocent"


@pytest.mark.parametrize("name", [name for name in ROUNDS if not name.startswith(INNOCENT)])
def test_every_opt_out_of_a_round_is_recognised(phrases: SalesPhrases, name: str) -> None:
    assert [text for text in ROUNDS[name] if Signal.OPT_OUT not in phrases.signals_in(text)] == []


@pytest.mark.parametrize("name", [name for name in ROUNDS if name.startswith(INNOCENT)])
def test_no_innocent_line_of_a_round_is_an_opt_out(phrases: SalesPhrases, name: str) -> None:
    assert [text for text in ROUNDS[name] if Signal.OPT_OUT in phrases.signals_in(text)] == []


def test_the_rounds_are_long_enough() -> None:
    for kind in (True, False):
        assert sum(len(set(texts)) for name, texts in ROUNDS.items() if name.startswith(INNOCENT) is kind) >= 200
