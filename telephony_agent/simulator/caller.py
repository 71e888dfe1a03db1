"""The caller: 20 ms at a time it hears the agent and gives what it says, by its script and by nothing else.

Theory of operation. The caller walks through its *cues* (a step of the script and its sound). A cue begins when its
condition holds, plays to its end, and then the next one is considered. *The agent has replied* means: since the last
cue that wants an answer, the agent was loud for at least 60 ms, and has now been quiet for ``patience_ms``.

=================  ===================================================  ==========================
cue                begins                                               forgets what the agent said
=================  ===================================================  ==========================
say, keys          when the agent has replied; with ``interrupt_ms``    at its end, if an answer
                   already when it has been speaking for so long;       is expected
                   with ``at_once`` at once
hear key           at once, and ends with the key                       no
noise              at once; with ``interrupt_ms`` as above              no
wait               at once                                              no
hang up            at once, or when the agent has replied               -
=================  ===================================================  ==========================

Whatever the agent says after a beep of the caller's is kept in ``tape``: a beep is where a voicemail begins to record.

A caller that waits longer than ``give_up_ms`` of the agent's silence, or stays longer than ``limit_ms``, hangs up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np

from telephony_agent.simulator.dtmf import KeyEar
from telephony_agent.simulator.mulaw import Pcm
from telephony_agent.simulator.noises import level_dbov, noise
from telephony_agent.simulator.script import (
    HangUpStep,
    HearKeyStep,
    KeysStep,
    NoiseStep,
    SayStep,
    Script,
    Step,
    WaitStep,
)
from telephony_agent.simulator.speech import Speaker

FRAME: Final = 160
FRAME_MS: Final = 20
LOUD_DBOV: Final = -45.0
"""A frame above this level is heard as speech, by the caller and by the measurements alike."""

_SPEECH_MS: Final = 60
_PAUSE_MS: Final = 300
_KEY_FRAMES: Final = 10
_NOISE_LOOP: Final = 500 * FRAME
_NOTHING: Final = np.zeros(FRAME, np.int16)


@dataclass(frozen=True, slots=True)
class Cue:
    """A step and its sound: whole frames at 8 kHz; empty for a step that makes none."""

    step: Step
    pcm: Pcm


@dataclass(frozen=True, slots=True)
class Turn:
    """A line or keys as they went out: where in the frames of the stream, and whether an answer was expected."""

    text: str
    first_frame: int
    end_frame: int
    answered: bool
    keys: bool


@dataclass(frozen=True, slots=True)
class CallerFrame:
    """20 ms of the caller: its words, what the line carries of them, a key that went down, and whether it hung up.

    ``text`` is the line or the keys that the frame belongs to, or empty.
    """

    words: Pcm
    line: Pcm
    text: str = ""
    key: str = ""
    hangs_up: bool = False


def rehearse(script: Script, speaker: Speaker | None) -> tuple[Cue, ...]:
    """Make the sound of every step ahead of the call; only a script that speaks needs a speaker."""
    rng = np.random.default_rng(len(script.steps))
    cues = []
    for step in script.steps:
        match step:
            case SayStep():
                assert speaker is not None, "a script that speaks needs a speaker"
                pcm = speaker.line(step, script.voice)
            case KeysStep(keys=keys):
                pcm = np.zeros(((len(keys) - 1) * _KEY_FRAMES + 1) * FRAME, np.int16)
            case NoiseStep(kind=kind, ms=ms, dbov=dbov):
                pcm = noise(kind, ms * FRAME // FRAME_MS, dbov, rng)
            case WaitStep(ms=ms) | HearKeyStep(within_ms=ms):
                pcm = np.zeros(ms * FRAME // FRAME_MS, np.int16)
            case HangUpStep():
                pcm = np.zeros(0, np.int16)
        cues.append(Cue(step, np.pad(pcm, (0, -len(pcm) % FRAME))))
    return tuple(cues)


class Ear:
    """What the caller has noticed of the agent since it last forgot."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start anew, as after a question."""
        self._loud_ms = 0
        self._quiet_ms = 0
        self._since_onset_ms = 0

    def hear(self, agent: Pcm) -> None:
        """Take in 20 ms of the agent."""
        if level_dbov(agent) > LOUD_DBOV:
            self._since_onset_ms = FRAME_MS if self._quiet_ms >= _PAUSE_MS else self._since_onset_ms + FRAME_MS
            self._loud_ms += FRAME_MS
            self._quiet_ms = 0
        else:
            self._since_onset_ms += FRAME_MS if self._loud_ms else 0
            self._quiet_ms += FRAME_MS

    def be_patient_anew(self) -> None:
        """Give the agent time again after a sound of one's own: while that lasted, it may have been silent for it."""
        self._quiet_ms = 0

    def has_heard_silence_for(self, ms: int) -> bool:
        """Tell whether the agent has been quiet for so long, or has not spoken for so long."""
        return self._quiet_ms >= ms

    def has_heard_speech_end(self, patience_ms: int) -> bool:
        """Tell whether the agent spoke and has been quiet for so long."""
        return self._loud_ms >= _SPEECH_MS and self._quiet_ms >= patience_ms

    def has_heard_speech_for(self, ms: int) -> bool:
        """Tell whether the agent is speaking and began at least so long ago, short pauses aside."""
        return self._loud_ms >= _SPEECH_MS and self._quiet_ms == 0 and self._since_onset_ms >= ms


class Talker(Protocol):
    """Whoever is at the caller's end of a call, over all of its streams."""

    @property
    def frames(self) -> int:
        """How many frames it has lived."""
        ...

    @property
    def turns(self) -> Sequence[Turn]:
        """Its lines and keys, as far as it knows them."""
        ...

    @property
    def gave_up(self) -> str:
        """Why it hung up before it had said everything; empty: it didn't."""
        ...

    @property
    def is_done(self) -> bool:
        """Whether it has said everything."""
        ...

    def hear(self, agent: Pcm) -> CallerFrame:
        """Hear 20 ms of the agent (``int16[160]``) and give one's own 20 ms; must not block."""
        ...

    def press(self, key: str) -> None:
        """Hear a key of the agent's."""
        ...


class Caller:
    """One caller on one stream. Deterministic: the same script, agent audio and seed give the same frames.

    After each ``hear`` these may have changed: ``frames`` (how many it has lived), ``turns``, ``gave_up`` (why it hung
    up before its script's end, or empty), ``is_done`` (all steps played), ``tape`` (``None`` before the beep).
    """

    def __init__(self, script: Script, cues: Iterable[Cue], seed: int) -> None:
        self._script = script
        self._cues = list(cues)
        self._rng = np.random.default_rng(seed)
        self._ear = Ear()
        self.frames = 0
        self._cue: Cue | None = None
        self._position = 0
        self._agent_past = np.zeros(script.echo.delay_ms * 8 if script.echo else 0, np.int16)
        self._noise = noise(script.noise.kind, _NOISE_LOOP, script.noise.dbov, self._rng) if script.noise else None
        self.turns: list[Turn] = []
        self.gave_up = ""
        self._prompt: Cue | None = None
        self._pressed = ""
        self._key_ear = KeyEar() if any(isinstance(cue.step, HearKeyStep) for cue in self._cues) else None
        self._tape: list[Pcm] | None = None

    @property
    def tape(self) -> Pcm | None:
        """What the agent was heard to say after the beep; ``None`` while there was none."""
        return None if self._tape is None else np.concatenate([*self._tape, _NOTHING[:0]])

    def press(self, key: str) -> None:
        """Hear a key that the agent had Twilio send; those in its audio are heard anyway."""
        self._pressed += key

    @property
    def is_done(self) -> bool:
        """Whether every step has been played to its end; hanging up is left to whoever does it first."""
        return self._cue is None and all(isinstance(cue.step, HangUpStep) for cue in self._cues)

    def hear(self, agent: Pcm) -> CallerFrame:
        """Hear 20 ms of the agent (``int16[160]``) and give the caller's own 20 ms."""
        self._ear.hear(agent)
        if self._tape is not None:
            self._tape.append(agent)
        self._hear_key(agent)
        if self._cue is None and not self.gave_up and self._cues and self._may_begin(self._cues[0].step):
            self._cue, self._position = self._cues.pop(0), 0
        hangs_up = self._wants_to_leave()
        text = self._cue.step.text if self._cue and isinstance(self._cue.step, SayStep | KeysStep) else ""
        words, key = self._play()
        line = self._on_the_line(words, agent)
        self.frames += 1
        return CallerFrame(words, line, text, key, hangs_up)

    def _may_begin(self, step: Step) -> bool:
        match step:
            case SayStep(at_once=True):
                return True
            case (SayStep(interrupt_ms=int(ms))) | NoiseStep(interrupt_ms=int(ms)):
                return self._ear.has_heard_speech_for(ms) or self._agent_has_replied()
            case SayStep() | KeysStep() | HangUpStep(after_reply=True):
                return self._agent_has_replied()
            case NoiseStep() | WaitStep() | HangUpStep() | HearKeyStep():
                return True

    def _agent_has_replied(self) -> bool:
        return self._ear.has_heard_speech_end(self._script.patience_ms)

    def _hear_key(self, agent: Pcm) -> None:
        """End the wait for a key that was pressed or sounded, be it before the wait began."""
        if self._key_ear is not None:
            self._pressed += self._key_ear.hear(agent)
        if self._cue is not None and isinstance(step := self._cue.step, HearKeyStep) and step.key in self._pressed:
            self._cue, self._pressed = None, ""
            self._ear.forget()

    def _ask_again(self, cue: Cue, step: HearKeyStep) -> None:
        if step.attempts <= 1 or self._prompt is None:
            self.gave_up = f"nobody pressed {step.key}"
            return
        assert isinstance(self._prompt.step, SayStep)
        again = Cue(replace(self._prompt.step, at_once=True), self._prompt.pcm)
        self._cues[:0] = [again, Cue(replace(step, attempts=step.attempts - 1), cue.pcm)]

    def _wants_to_leave(self) -> bool:
        if self._cue is not None:
            return isinstance(self._cue.step, HangUpStep)
        if self.gave_up:
            return True
        if self._ear.has_heard_silence_for(self._script.give_up_ms):
            self.gave_up = f"the agent was silent for {self._script.give_up_ms} ms"
        elif self.frames * FRAME_MS >= self._script.limit_ms:
            self.gave_up = f"the call was longer than {self._script.limit_ms} ms"
        return bool(self.gave_up)

    def _play(self) -> tuple[Pcm, str]:
        if self._cue is None:
            return _NOTHING, ""
        words = self._cue.pcm[self._position : self._position + FRAME]
        key = self._key_at(self._position // FRAME)
        self._position += FRAME
        if self._position >= len(self._cue.pcm):
            self._finish(self._cue)
        return (words if len(words) else _NOTHING), key

    def _key_at(self, frame: int) -> str:
        assert self._cue is not None
        step = self._cue.step
        return step.keys[frame // _KEY_FRAMES] if isinstance(step, KeysStep) and frame % _KEY_FRAMES == 0 else ""

    def _finish(self, cue: Cue) -> None:
        self._cue = None
        step = cue.step
        if isinstance(step, HearKeyStep):
            self._ask_again(cue, step)
            return
        if isinstance(step, SayStep):
            self._prompt = cue
        if isinstance(step, NoiseStep) and step.kind == "beep":
            self._tape = []
        if not isinstance(step, WaitStep | HangUpStep):
            self._ear.be_patient_anew()
        if not isinstance(step, SayStep | KeysStep):
            return
        end = self.frames + 1
        first = end - len(cue.pcm) // FRAME
        self.turns.append(Turn(step.text, first, end, step.answered, isinstance(step, KeysStep)))
        if step.answered:
            self._ear.forget()

    def _on_the_line(self, words: Pcm, agent: Pcm) -> Pcm:
        line = words.astype(np.float64)
        if self._noise is not None:
            start = self.frames * FRAME % len(self._noise)
            line += self._noise[start : start + FRAME]
        if (echo := self._script.echo) is not None:
            past = np.concatenate([self._agent_past, agent])
            line += past[:FRAME] * 10 ** (echo.db / 20)
            self._agent_past = past[FRAME:]
        return np.clip(np.round(line), -32768, 32767).astype(np.int16)
