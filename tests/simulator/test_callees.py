"""Callees: as files, by their numbers, to a detector's ear, and what they do on the line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from telephony_agent.simulator.amd import Detection, Thresholds, Verdict, verdict
from telephony_agent.simulator.callee import LAST_DIGITS, Answer, Detected
from telephony_agent.simulator.callee_file import load_callee, parse_callee, shipped_callees, shipped_directory
from telephony_agent.simulator.caller import Caller, Cue, rehearse
from telephony_agent.simulator.connection_override import ConnectionOverride, override_of
from telephony_agent.simulator.dtmf import KeyEar, tones
from telephony_agent.simulator.mulaw import Pcm, decode, encode
from telephony_agent.simulator.noises import KINDS, noise
from telephony_agent.simulator.script import HangUpStep, HearKeyStep, NoiseStep, SayStep, Script, Step, WaitStep
from telephony_agent.simulator.script_file import ScriptError

QUIET: Pcm = np.zeros(160, np.int16)
LOUD: Pcm = noise("white", 160, -20.0, np.random.default_rng(1))


def said(ms: int, *, at_once: bool = True) -> Cue:
    """Give a line that lasts so long, without a voice."""
    return Cue(SayStep(("words",), at_once=at_once), noise("babble", ms * 8, -24.0, np.random.default_rng(1)))


def sounds(*steps: Step | Cue) -> tuple[Cue, ...]:
    return tuple(step if isinstance(step, Cue) else rehearse(Script("one", (step,)), None)[0] for step in steps)


def person(*steps: Step | Cue) -> Caller:
    cues = sounds(*steps)
    return Caller(Script("person", tuple(cue.step for cue in cues), patience_ms=100, give_up_ms=1000), cues, 1)


# Files


@pytest.mark.parametrize("name", shipped_callees())
def test_every_shipped_callee_is_sound_and_says_what_it_is_about(name: str) -> None:
    callee = load_callee(name)
    assert callee.script.about
    assert bool(callee.script.steps) is (callee.answer is Answer.ANSWERS and name != "silent")


def test_the_kinds_of_telephones_ship() -> None:
    answers = {name: load_callee(name).answer for name in shipped_callees()}
    assert set(answers.values()) == set(Answer)
    assert {load_callee(name).detected for name in answers} == set(Detected)


def test_a_number_reaches_whom_it_was_given_then_by_its_last_digits_then_a_human() -> None:
    directory = shipped_directory({"+12125550105": load_callee("fax")})
    reached = {number: directory.callee(number).name for number in ("+12125550105", "+14155550105", "+14155550199")}
    assert reached == {"+12125550105": "fax", "+14155550105": "voicemail", "+14155550199": "human"}
    assert directory.callee("+15005550006").name == "human"
    assert {digits: directory.callee(f"+141555501{digits}").name for digits in LAST_DIGITS} == LAST_DIGITS


def test_a_callee_can_be_a_file_of_the_users(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("rings: 3\ndetected: machine\nsteps: [{noise: beep, ms: 100}]")
    callee = load_callee(str(file))
    assert (callee.name, callee.rings, callee.detected) == ("mine", 3, Detected.MACHINE)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[", "callee x: not YAML"),
        ("- a", "callee x: must be a table of keys"),
        ("answer: perhaps", "callee x: answer: must be one of answers, busy, no-answer, rejects, fails, not 'perhaps'"),
        ("detected: cat\nsteps: []", "callee x: detected: must be one of"),
        ("rings: often\nsteps: []", "callee x: rings: must be a whole number"),
        ("answer: busy\nsteps: []", "callee x: steps: one that doesn't answer has none"),
        ("rings: 1", "script x: the file: needs 'steps'"),
        ("steps: [{hear_key: 1}]", "script x: steps[0].hear_key: must be a text"),
    ],
)
def test_a_wrong_callee_says_where_and_what_is_allowed(text: str, complaint: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse_callee("x", text)
    assert str(caught.value).startswith(complaint)


def test_an_unknown_callee_lists_those_that_ship() -> None:
    with pytest.raises(ScriptError, match="no callee 'nobody': give a file or one of busy, fax"):
        load_callee("nobody")


# Detection

GREETING_AND_BEEP = sounds(said(4000), WaitStep(500), NoiseStep("beep", 400), WaitStep(60_000))


@pytest.mark.parametrize(
    ("detected", "cues", "detection", "expected"),
    [
        (Detected.HUMAN, sounds(said(600), said(800, at_once=False)), Detection.ENABLE, Verdict("human", 1800)),
        (Detected.MACHINE, GREETING_AND_BEEP, Detection.ENABLE, Verdict("machine_start", 2400)),
        (Detected.MACHINE, GREETING_AND_BEEP, Detection.MESSAGE_END, Verdict("machine_end_beep", 4900)),
        (Detected.MACHINE, sounds(said(3000)), Detection.MESSAGE_END, Verdict("machine_end_silence", 4200)),
        (Detected.MACHINE, sounds(said(40_000)), Detection.MESSAGE_END, Verdict("unknown", 30_000)),
        (Detected.FAX, sounds(NoiseStep("fax", 3000)), Detection.MESSAGE_END, Verdict("fax", 1000)),
        (Detected.UNKNOWN, (), Detection.ENABLE, Verdict("unknown", 5000)),
    ],
)
def test_a_verdict_comes_when_the_sound_allows_it(
    detected: Detected, cues: tuple[Cue, ...], detection: Detection, expected: Verdict
) -> None:
    assert verdict(detected, cues, detection, Thresholds()) == expected


# On the line


def test_who_picks_up_speaks_before_the_agent_does() -> None:
    caller = person(said(100))
    assert caller.hear(QUIET).text == "words"


def test_a_beep_begins_the_tape() -> None:
    caller = person(NoiseStep("beep", 40), WaitStep(1000))
    caller.hear(LOUD)
    caller.hear(LOUD)
    assert caller.tape is not None
    assert len(caller.tape) == 0
    caller.hear(LOUD)
    caller.hear(QUIET)
    assert np.array_equal(caller.tape, np.concatenate([LOUD, QUIET]))


def test_without_a_beep_there_is_no_tape() -> None:
    caller = person(NoiseStep("fax", 40))
    for _ in range(5):
        caller.hear(LOUD)
    assert caller.tape is None


def test_a_menu_goes_on_with_the_right_key_even_if_it_came_early() -> None:
    caller = person(said(100), HearKeyStep("2", within_ms=2000), HangUpStep(after_reply=False))
    caller.hear(QUIET)
    caller.press("1")
    caller.press("2")
    frames = [caller.hear(QUIET) for _ in range(8)]
    assert any(frame.hangs_up for frame in frames)
    assert caller.gave_up == ""


def test_a_menu_asks_again_and_then_hangs_up() -> None:
    caller = person(said(100), HearKeyStep("2", within_ms=200, attempts=2), said(100))
    lines = []
    for _ in range(100):
        frame = caller.hear(QUIET)
        lines.append(frame.text)
        if frame.hangs_up:
            break
    assert lines.count("words") == 10
    assert caller.gave_up == "nobody pressed 2"


def test_a_menu_hears_a_key_in_the_agents_sound() -> None:
    caller = person(HearKeyStep("2", within_ms=2000), HangUpStep(after_reply=False))
    sound = np.concatenate([QUIET, tones("2", 100), QUIET])
    frames = [caller.hear(sound[at : at + 160]) for at in range(0, len(sound), 160)]
    assert any(frame.hangs_up for frame in frames)


@pytest.mark.parametrize("key", "0123456789*#ABCD")
def test_every_key_is_heard_once_for_as_long_as_it_sounds(key: str) -> None:
    ear = KeyEar()
    sound = decode(encode(np.concatenate([tones(key, 100), QUIET, tones(key, 60), QUIET])))
    heard = "".join(ear.hear(sound[at : at + 160]) for at in range(0, len(sound), 160))
    assert heard == key * 2


@pytest.mark.parametrize("kind", KINDS)
def test_no_other_sound_is_taken_for_a_key(kind: str) -> None:
    ear = KeyEar()
    sound = noise(kind, 160 * 200, -20.0, np.random.default_rng(3))
    assert "".join(ear.hear(sound[at : at + 160]) for at in range(0, len(sound), 160)) == ""


# How hard a webhook is tried


@pytest.mark.parametrize(
    ("fragment", "expected"),
    [
        ("", ConnectionOverride()),
        ("#rc=2&rp=ct,rt,5xx", ConnectionOverride(retries=2, retry_on=frozenset({"ct", "rt", "5xx"}))),
        ("#rc=9&ct=5&rt=99999&tt=x", ConnectionOverride(connect_ms=100, read_ms=15_000, retries=5)),
        ("#rp=all", ConnectionOverride(retry_on=frozenset({"ct", "rt", "4xx", "5xx"}))),
    ],
)
def test_a_fragment_says_how_hard_a_webhook_is_tried(fragment: str, expected: ConnectionOverride) -> None:
    assert override_of(f"https://agent.example/voice{fragment}") == expected
