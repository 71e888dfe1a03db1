"""Every call gets exactly one disposition, by rule."""

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
    disposition_of,
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
    concluded=st.none()
    | st.sampled_from([Disposition.MEETING_BOOKED, Disposition.CALLBACK, Disposition.NOT_INTERESTED]),
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
        (
            Findings(3, concluded=Disposition.MEETING_BOOKED, left=True, refusals=3, callback_wanted=True),
            LineResult.ANSWERED,
            CallEnd.AGENT,
            Disposition.MEETING_BOOKED,
        ),
        (
            Findings(3, concluded=Disposition.CALLBACK, meeting_confirmed=True),
            LineResult.ANSWERED,
            CallEnd.GOODBYE,
            Disposition.MEETING_BOOKED,
        ),
        (
            Findings(3, concluded=Disposition.NOT_INTERESTED, callback_wanted=True, fit=Fit.QUALIFIED),
            LineResult.ANSWERED,
            CallEnd.GOODBYE,
            Disposition.NOT_INTERESTED,
        ),
        (
            Findings(4, concluded=Disposition.CALLBACK, left=True, refusals=3),
            LineResult.ANSWERED,
            CallEnd.AGENT,
            Disposition.NOT_INTERESTED,
        ),
        (
            Findings(2, concluded=Disposition.MEETING_BOOKED, opted_out=True),
            LineResult.ANSWERED,
            CallEnd.AGENT,
            Disposition.DO_NOT_CALL,
        ),
        (Findings(2, concluded=Disposition.CALLBACK), LineResult.ANSWERED, CallEnd.TRANSFER, Disposition.TRANSFERRED),
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
    assert disposition_of(findings, line, end) is expected


def test_an_unconfirmed_meeting_is_called_back() -> None:
    unconfirmed = Findings(3, meeting_heard=True)
    assert disposition_of(unconfirmed, LineResult.ANSWERED, CallEnd.CALLER) is Disposition.CALLBACK


def test_a_talk_without_an_end_result_counts_as_not_qualified() -> None:
    assert disposition_of(Findings(5), LineResult.ANSWERED, CallEnd.GOODBYE) is Disposition.NOT_QUALIFIED


@given(FINDINGS, LINES, ENDS)
def test_an_opt_out_is_never_anything_else(findings: Findings, line: LineResult, end: CallEnd | None) -> None:
    assert (disposition_of(findings, line, end) is Disposition.DO_NOT_CALL) is findings.opted_out


@given(FINDINGS, ENDS)
def test_a_meeting_is_booked_only_if_it_was_confirmed_or_an_answer_booked_it(
    findings: Findings, end: CallEnd | None
) -> None:
    if disposition_of(findings, LineResult.ANSWERED, end) is Disposition.MEETING_BOOKED:
        assert findings.meeting_confirmed or findings.concluded is Disposition.MEETING_BOOKED


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
