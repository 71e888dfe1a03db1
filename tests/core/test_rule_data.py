"""Rules as data, and changed by what a person types."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest

from telephony_agent.core.call_terms import CallRules
from telephony_agent.core.completeness import Expectation, RuleJudge, SilenceJudge, Waits
from telephony_agent.core.endpointing import EndpointingRules
from telephony_agent.core.rule_data import RuleError, as_data, changed, from_data


@pytest.mark.parametrize(
    "rules",
    [
        CallRules(),
        CallRules(endpointing=EndpointingRules(hangover_ms=700), judge=SilenceJudge(700), max_call_s=60.5),
        CallRules(judge=RuleJudge(Waits(complete_ms=200))),
    ],
)
def test_rules_survive_json(rules: CallRules) -> None:
    assert from_data(json.loads(json.dumps(as_data(rules)))) == rules


def test_what_data_do_not_name_keeps_its_default() -> None:
    assert from_data({"speculations": 5}) == replace(CallRules(), speculations=5)


def test_a_rule_of_another_version_is_refused_by_name() -> None:
    with pytest.raises(RuleError, match=r"endpointing\.patience_ms"):
        from_data({"endpointing": {"patience_ms": 3}})


def test_a_judge_that_is_no_data_is_refused() -> None:
    @dataclass(frozen=True)
    class Oracle:
        def wait_ms(self, text: str, expects: Expectation) -> int:
            return 0

    with pytest.raises(RuleError, match="Oracle"):
        as_data(CallRules(judge=Oracle()))


def test_a_number_is_changed_by_its_path() -> None:
    assert changed(CallRules(), "endpointing.hangover_ms=700").endpointing.hangover_ms == 700
    assert changed(CallRules(), "filler_after_s = 2").filler_after_s == 2.0
    assert changed(CallRules(), "judge=silence").judge == SilenceJudge()
    assert changed(CallRules(), "judge.waits.complete_ms=250").judge == RuleJudge(Waits(complete_ms=250))


@pytest.mark.parametrize(
    ("assignment", "allowed"),
    [
        ("endpointing", "RULE=VALUE"),
        ("endpointing=3", "hangover_ms"),
        ("endpointing.patience=3", "hangover_ms"),
        ("speculations.most=3", "number"),
        ("speculations=many", "whole number"),
        ("judge=coin", "words, model, silence"),
    ],
)
def test_a_change_that_cannot_be_made_says_what_can(assignment: str, allowed: str) -> None:
    with pytest.raises(RuleError, match=allowed) as wrong:
        changed(CallRules(), assignment)
    assert assignment in str(wrong.value)
