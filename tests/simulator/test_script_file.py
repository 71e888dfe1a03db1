"""Caller scripts: what ships is sound, and a wrong one says where and how to mend it."""

from __future__ import annotations

from pathlib import Path

import pytest

from telephony_agent.simulator.noises import KINDS
from telephony_agent.simulator.script import (
    Echo,
    Expect,
    HangUpStep,
    HearKeyStep,
    KeysStep,
    Noise,
    NoiseStep,
    SayStep,
    Side,
    Voice,
    WaitStep,
    spoken,
)
from telephony_agent.simulator.script_file import ScriptError, load, parse, shipped_names


def test_five_scripts_ship() -> None:
    assert shipped_names() == ("interrupter", "objection", "opt-out", "quickstart", "silent", "voicemail")


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_script_is_sound_and_says_what_it_is_about(name: str) -> None:
    script = load(name)
    assert script.about
    assert script.expect.ended_by is Side.AGENT


def test_the_quickstart_holds_at_least_six_turns() -> None:
    assert sum(isinstance(step, SayStep) for step in load("quickstart").steps) >= 6


def test_a_script_can_be_a_file_of_the_users(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("steps:\n  - say: hello\n")
    script = load(str(path))
    assert (script.name, script.steps) == ("mine", (SayStep(("hello",)),))


def test_every_key_is_read() -> None:
    script = parse(
        "full",
        """
        about: everything
        voice: en-us
        rate: 200
        pitch: 30
        noise: {kind: hum, dbov: -50}
        echo: {db: -20, delay_ms: 100}
        patience_ms: 500
        give_up_ms: 5000
        limit_ms: 60000
        expect: {ended_by: caller, reasons: [goodbye], utterances: 2}
        steps:
          - say: [one, 600, two]
            interrupt_ms: 900
            answered: false
          - say: hello
            at_once: true
          - keys: "12#"
          - hear_key: "1"
            within_ms: 4000
            attempts: 3
          - noise: cough
            ms: 300
            dbov: -20
            interrupt_ms: 100
          - wait_ms: 2000
          - hang_up: now
          - hang_up: after_reply
        """,
    )
    assert script.voice == Voice("en-us", 200, 30)
    assert (script.noise, script.echo) == (Noise("hum", -50.0), Echo(-20.0, 100))
    assert (script.patience_ms, script.give_up_ms, script.limit_ms) == (500, 5000, 60000)
    assert script.expect == Expect(Side.CALLER, ("goodbye",), 2)
    assert script.steps == (
        SayStep(("one", 600, "two"), interrupt_ms=900, answered=False),
        SayStep(("hello",), at_once=True),
        KeysStep("12#"),
        HearKeyStep("1", within_ms=4000, attempts=3),
        NoiseStep("cough", 300, -20.0, interrupt_ms=100),
        WaitStep(2000),
        HangUpStep(after_reply=False),
        HangUpStep(after_reply=True),
    )


def test_spoken_lines_end_with_the_caller_hanging_up_after_the_reply() -> None:
    assert spoken(("a", "b")).steps == (SayStep(("a",)), SayStep(("b",)), HangUpStep())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("steps: [", "not YAML"),
        ("[]", "the file: must be a table of keys, not []"),
        ("about: x", "the file: needs 'steps'"),
        ("steps: []\nsteeps: 1", "the file: unknown key 'steeps'; allowed: about"),
        ("steps: 3", "steps: must be a list, not 3"),
        ("steps: [hello]", "steps[0]: must be a table of keys, not 'hello'"),
        ("steps: [{sing: la}]", "steps[0]: must hold one of say, keys, hear_key, noise, wait_ms, hang_up"),
        ("steps: [{say: hi, loud: true}]", "steps[0]: unknown key 'loud'; allowed: answered, at_once, interrupt_ms"),
        ("steps: [{say: ''}]", "steps[0].say: must be a text, or a list of texts and pauses in ms, not ''"),
        ("steps: [{say: [hi, 1.5]}]", "steps[0].say: must be a text, or a list of texts and pauses in ms"),
        ("steps: [{say: hi, interrupt_ms: -1}]", "steps[0].interrupt_ms: must not be negative, not -1"),
        ("steps: [{say: hi, answered: maybe}]", "steps[0].answered: must be true or false, not 'maybe'"),
        ("steps: [{keys: 12}]", "steps[0].keys: must be a text, not 12"),
        ("steps: [{keys: '1x'}]", 'steps[0].keys: must be a quoted text of 0-9, *, # and A-D, not "1x"'),
        ("steps: [{noise: thunder, ms: 1}]", f"steps[0].noise: must be one of {', '.join(KINDS)}, not 'thunder'"),
        ("steps: [{noise: cough, ms: 1, dbov: 3}]", "steps[0].dbov: must be a level of 0 dB or less, not 3"),
        ("steps: [{wait_ms: true}]", "steps[0].wait_ms: must be a whole number, not True"),
        ("steps: [{hang_up: later}]", "steps[0].hang_up: must be now or after_reply, not 'later'"),
        ("steps: []\nexpect: {ended_by: me}", "expect.ended_by: must be one of agent, caller, any, not 'me'"),
        ("steps: []\npitch: 100", "pitch: must be from 0 to 99, not 100"),
        ("steps: []\nrate: 10", "rate: must be from 80 to 450 words a minute, not 10"),
    ],
)
def test_a_wrong_script_says_where_and_what_is_allowed(text: str, complaint: str) -> None:
    with pytest.raises(ScriptError) as error:
        parse("mine", text)
    assert str(error.value).startswith(f"script mine: {complaint}")


def test_an_unknown_name_lists_the_scripts_that_ship() -> None:
    with pytest.raises(ScriptError, match=r"no caller script 'nope': give a file or one of interrupter, objection"):
        load("nope")
