"""The simulated caller in virtual time: frame by frame, without a clock and without a voice."""

from __future__ import annotations

import numpy as np

from telephony_agent.simulator.caller import FRAME, FRAME_MS, Caller, CallerFrame, Cue, rehearse
from telephony_agent.simulator.mulaw import Pcm
from telephony_agent.simulator.noises import level_dbov
from telephony_agent.simulator.script import (
    Echo,
    HangUpStep,
    KeysStep,
    Noise,
    NoiseStep,
    SayStep,
    Script,
    Step,
    WaitStep,
)


def tone(ms: int, amplitude: int = 4000) -> Pcm:
    time = np.arange(ms * 8) / 8000
    return (amplitude * np.sin(2 * np.pi * 500 * time)).astype(np.int16)


SILENCE = np.zeros(FRAME, np.int16)
VOICE = tone(FRAME_MS)


class Call:
    """A caller on the line with an agent that is either loud or silent."""

    def __init__(self, *steps: Step, **script: object) -> None:
        self.caller = Caller(Script("test", steps, **script), cues_of(steps), seed=1)  # type: ignore[arg-type]
        self.frames: list[CallerFrame] = []

    def agent_is(self, frame: Pcm, ms: int) -> list[CallerFrame]:
        given = [self.caller.hear(frame) for _ in range(ms // FRAME_MS)]
        self.frames += given
        return given

    def agent_speaks(self, ms: int) -> list[CallerFrame]:
        return self.agent_is(VOICE, ms)

    def agent_is_silent(self, ms: int) -> list[CallerFrame]:
        return self.agent_is(SILENCE, ms)


def cues_of(steps: tuple[Step, ...]) -> list[Cue]:
    silent = rehearse(Script("test", tuple(step for step in steps if not isinstance(step, SayStep))), None)
    others = iter(silent)
    return [Cue(step, tone(400)) if isinstance(step, SayStep) else next(others) for step in steps]


def loud_ms(frames: list[CallerFrame]) -> int:
    return sum(FRAME_MS for frame in frames if level_dbov(frame.words) > -45)


def test_the_caller_waits_until_the_agent_has_spoken_and_fallen_silent() -> None:
    call = Call(SayStep(("hello",)), patience_ms=500)
    assert loud_ms(call.agent_is_silent(1000)) == 0
    assert loud_ms(call.agent_speaks(800)) == 0
    assert loud_ms(call.agent_is_silent(480)) == 0
    assert loud_ms(call.agent_is_silent(420)) == 400
    assert [(turn.text, turn.end_frame - turn.first_frame) for turn in call.caller.turns] == [("hello", 20)]


def test_a_pause_between_phrases_is_not_the_end_of_the_reply() -> None:
    call = Call(SayStep(("hello",)), patience_ms=500)
    call.agent_speaks(300)
    call.agent_is_silent(480)
    call.agent_speaks(300)
    assert loud_ms(call.agent_is_silent(480)) == 0


def test_a_click_is_not_taken_for_a_reply() -> None:
    call = Call(SayStep(("hello",)), patience_ms=200)
    call.agent_speaks(40)
    assert loud_ms(call.agent_is_silent(1000)) == 0


def test_the_second_line_waits_for_an_answer_to_the_first() -> None:
    call = Call(SayStep(("one",)), SayStep(("two",)), patience_ms=200)
    call.agent_speaks(200)
    call.agent_is_silent(600)
    assert loud_ms(call.agent_is_silent(3000)) == 0
    call.agent_speaks(200)
    assert loud_ms(call.agent_is_silent(700)) == 400


def test_an_interruption_comes_while_the_agent_speaks() -> None:
    call = Call(SayStep(("stop",), interrupt_ms=600))
    assert loud_ms(call.agent_speaks(580)) == 0
    assert loud_ms(call.agent_speaks(420)) == 400


def test_an_interruption_of_a_short_reply_comes_after_it() -> None:
    call = Call(SayStep(("stop",), interrupt_ms=600), patience_ms=200)
    call.agent_speaks(300)
    assert loud_ms(call.agent_is_silent(600)) == 400


def test_an_interruption_counts_from_the_utterance_that_it_interrupts() -> None:
    call = Call(SayStep(("stop",), interrupt_ms=600))
    call.agent_speaks(500)
    call.agent_is_silent(200)
    assert loud_ms(call.agent_speaks(200)) == 200
    call = Call(SayStep(("stop",), interrupt_ms=600))
    call.agent_speaks(500)
    call.agent_is_silent(400)
    assert loud_ms(call.agent_speaks(580)) == 0


def test_a_backchannel_leaves_the_reply_unfinished() -> None:
    call = Call(SayStep(("mm-hm",), interrupt_ms=200, answered=False), SayStep(("next",)), patience_ms=200)
    call.agent_speaks(1000)
    assert loud_ms(call.agent_is_silent(180)) == 0
    assert loud_ms(call.agent_is_silent(420)) == 400
    assert [turn.answered for turn in call.caller.turns] == [False, True]


def test_keys_go_down_one_after_the_other() -> None:
    call = Call(KeysStep("12#"), patience_ms=100)
    call.agent_speaks(100)
    frames = call.agent_is_silent(1000)
    pressed = [(number * FRAME_MS, frame.key) for number, frame in enumerate(frames) if frame.key]
    assert pressed == [(80, "1"), (280, "2"), (480, "#")]
    assert call.caller.turns[0].keys
    assert call.caller.turns[0].text == "[keys 12#]"


def test_noise_comes_at_once_and_is_no_turn() -> None:
    call = Call(NoiseStep("cough", 200))
    assert loud_ms(call.agent_is_silent(400)) > 60
    assert call.caller.turns == []


def test_a_wait_is_kept_whatever_the_agent_does() -> None:
    call = Call(WaitStep(1000), SayStep(("hello",)), patience_ms=100)
    call.agent_speaks(500)
    assert loud_ms(call.agent_is_silent(500)) == 0
    assert loud_ms(call.agent_is_silent(500)) == 400


def test_the_caller_hangs_up_after_the_reply() -> None:
    call = Call(HangUpStep(), patience_ms=200)
    assert not any(frame.hangs_up for frame in call.agent_speaks(400))
    assert [frame.hangs_up for frame in call.agent_is_silent(200)] == [False] * 9 + [True]
    assert call.caller.gave_up == ""


def test_the_caller_may_hang_up_now() -> None:
    assert Call(HangUpStep(after_reply=False)).agent_is_silent(20)[0].hangs_up


def test_a_caller_that_gets_no_answer_gives_up() -> None:
    call = Call(SayStep(("hello",)), give_up_ms=3000)
    assert [frame.hangs_up for frame in call.agent_is_silent(3000)][-2:] == [False, True]
    assert call.caller.gave_up == "the agent was silent for 3000 ms"
    assert not call.caller.is_done


def test_no_caller_stays_for_ever() -> None:
    call = Call(limit_ms=1000)
    assert not any(frame.hangs_up for frame in call.agent_speaks(1000))
    assert call.agent_speaks(20)[0].hangs_up
    assert call.caller.gave_up == "the call was longer than 1000 ms"


def test_a_script_is_done_when_only_hanging_up_is_left() -> None:
    call = Call(SayStep(("bye",), interrupt_ms=0), HangUpStep())
    assert not call.caller.is_done
    call.agent_speaks(600)
    assert call.caller.is_done


def test_the_line_noise_is_on_the_line_and_not_in_the_words() -> None:
    call = Call(noise=Noise("pink", -50))
    frames = call.agent_is_silent(2000)
    assert not any(frame.words.any() for frame in frames)
    assert abs(level_dbov(np.concatenate([frame.line for frame in frames])) + 50) < 1.5


def test_an_echo_returns_the_agents_voice_later_and_quieter() -> None:
    call = Call(echo=Echo(db=-20, delay_ms=100))
    frames = call.agent_speaks(100) + call.agent_speaks(20)
    line = np.concatenate([frame.line for frame in frames])
    assert not line[:800].any()
    assert np.array_equal(line[800:], np.round(VOICE * 0.1).astype(np.int16))


def test_the_same_seed_gives_the_same_frames() -> None:
    calls = [Call(NoiseStep("white", 300), noise=Noise("white", -60)) for _ in range(2)]
    lines = [np.concatenate([frame.line for frame in call.agent_is_silent(500)]) for call in calls]
    assert np.array_equal(*lines)
