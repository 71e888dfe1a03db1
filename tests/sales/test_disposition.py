"""Every call gets exactly one disposition, or a few to choose from where the rules can't tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_agent.sales.disposition import (
    CallEnd,
    Disposition,
    Findings,
    Fit,
    LineResult,
    dispositions,
    hubspot_outcome,
)

FINDINGS = st.builds(
    Findings,
    caller_turns=st.integers(0, 5),
    opted_out=st.booleans(),
    wrong_number=st.booleans(),
    meeting_confirmed=st.booleans(),
    meeting_heard=st.booleans(),
    callback_wanted=st.booleans(),
    refusals=st.integers(0, 4),
    left=st.booleans(),
    fit=st.sampled_from(Fit),
    voicemail_left=st.booleans(),
)
LINES = st.sampled_from(LineResult)
ENDS = st.none() | st.sampled_from(CallEnd)


@pytest.mark.parametrize(
    ("findings", "line", "end", "expected"),
    [
        (Findings(3, meeting_confirmed=True), LineResult.ANSWERED, CallEnd.GOODBYE, Disposition.MEETING_BOOKED),
        (
            Findings(3, meeting_confirmed=True, refusals=1),
            LineResult.ANSWERED,
            CallEnd.LINE,
            Disposition.MEETING_BOOKED,
        ),
        (Findings(3, callback_wanted=True), LineResult.ANSWERED, CallEnd.CALLER, Disposition.CALLBACK),
        (Findings(2, refusals=3), LineResult.ANSWERED, CallEnd.AGENT, Disposition.NOT_INTERESTED),
        (
            Findings(2, opted_out=True, meeting_confirmed=True),
            LineResult.ANSWERED,
            CallEnd.AGENT,
            Disposition.DO_NOT_CALL,
        ),
        (
            Findings(4, refusals=3, left=True, callback_wanted=True),
            LineResult.ANSWERED,
            CallEnd.AGENT,
            Disposition.NOT_INTERESTED,
        ),
        (Findings(1, wrong_number=True), LineResult.ANSWERED, CallEnd.AGENT, Disposition.WRONG_NUMBER),
        (Findings(2), LineResult.ANSWERED, CallEnd.TRANSFER, Disposition.TRANSFERRED),
        (Findings(4, fit=Fit.QUALIFIED), LineResult.ANSWERED, CallEnd.GOODBYE, Disposition.QUALIFIED),
        (Findings(4, fit=Fit.NOT_QUALIFIED), LineResult.ANSWERED, CallEnd.GOODBYE, Disposition.NOT_QUALIFIED),
        (Findings(), LineResult.ANSWERED, CallEnd.CALLER, Disposition.HUNG_UP),
        (Findings(), LineResult.ANSWERED, CallEnd.SILENCE, Disposition.NOT_REACHED),
        (Findings(2), LineResult.ANSWERED, CallEnd.FAULT, Disposition.FAILED),
        (Findings(2), LineResult.ANSWERED, None, Disposition.FAILED),
        (Findings(), LineResult.BUSY, None, Disposition.NOT_REACHED),
        (Findings(), LineResult.NO_ANSWER, None, Disposition.NOT_REACHED),
        (Findings(), LineResult.FAILED, None, Disposition.FAILED),
        (Findings(voicemail_left=True), LineResult.VOICEMAIL, CallEnd.AGENT, Disposition.VOICEMAIL_LEFT),
        (Findings(), LineResult.VOICEMAIL, CallEnd.AGENT, Disposition.NOT_REACHED),
    ],
)
def test_the_rules_decide(findings: Findings, line: LineResult, end: CallEnd | None, expected: Disposition) -> None:
    assert dispositions(findings, line, end) == (expected,)


def test_an_unconfirmed_meeting_is_called_back_unless_the_model_knows_better() -> None:
    open_to = dispositions(Findings(3, meeting_heard=True), LineResult.ANSWERED, CallEnd.CALLER)
    assert open_to == (Disposition.CALLBACK, Disposition.MEETING_BOOKED)


def test_a_talk_without_an_end_result_is_left_to_the_model() -> None:
    open_to = dispositions(Findings(5), LineResult.ANSWERED, CallEnd.GOODBYE)
    assert open_to[0] is Disposition.NOT_QUALIFIED
    assert Disposition.MEETING_BOOKED not in open_to


@given(FINDINGS, LINES, ENDS)
def test_every_call_has_at_least_one_disposition(findings: Findings, line: LineResult, end: CallEnd | None) -> None:
    open_to = dispositions(findings, line, end)
    assert open_to
    assert len(set(open_to)) == len(open_to)


@given(FINDINGS, LINES, ENDS)
def test_an_opt_out_is_never_anything_else(findings: Findings, line: LineResult, end: CallEnd | None) -> None:
    open_to = dispositions(findings, line, end)
    assert (open_to == (Disposition.DO_NOT_CALL,)) is findings.opted_out


@given(FINDINGS, ENDS)
def test_a_meeting_is_booked_only_if_it_was_heard(findings: Findings, end: CallEnd | None) -> None:
    open_to = dispositions(findings, LineResult.ANSWERED, end)
    if Disposition.MEETING_BOOKED in open_to:
        assert findings.meeting_confirmed or findings.meeting_heard


HUBSPOT = {"Busy", "Connected", "Left live message", "Left voicemail", "No answer", "Wrong number"}


@given(st.sampled_from(Disposition), LINES)
def test_every_disposition_has_a_hubspot_outcome(disposition: Disposition, line: LineResult) -> None:
    assert hubspot_outcome(disposition, line) in HUBSPOT


@pytest.mark.parametrize(
    ("disposition", "line", "label"),
    [
        (Disposition.MEETING_BOOKED, LineResult.ANSWERED, "Connected"),
        (Disposition.WRONG_NUMBER, LineResult.ANSWERED, "Wrong number"),
        (Disposition.VOICEMAIL_LEFT, LineResult.VOICEMAIL, "Left voicemail"),
        (Disposition.NOT_REACHED, LineResult.BUSY, "Busy"),
        (Disposition.NOT_REACHED, LineResult.NO_ANSWER, "No answer"),
    ],
)
def test_hubspot_outcomes_are_its_own_words(disposition: Disposition, line: LineResult, label: str) -> None:
    assert hubspot_outcome(disposition, line) == label
