"""Answering machine detection: what Twilio would say of who answered, and when, from the sound that they make.

The verdict's kind is the callee's (``Callee.detected``: a detector errs, and so can a callee's file); its time follows
from the sound and from the thresholds of the request:

===========  ==========================================  =================================================
detected     ``Enable``                                  ``DetectMessageEnd``
===========  ==========================================  =================================================
human        ``human``, when the first words have        the same
             ended for the speech end threshold
machine      ``machine_start``, when it has spoken for   ``machine_end_beep`` at the end of its beep, or
             the speech threshold                        ``machine_end_silence`` when it has fallen silent
fax          ``fax``, a second into the tone             the same
unknown      ``unknown``, after the silence timeout      the same
===========  ==========================================  =================================================

Nothing comes later than ``timeout_ms``: then it is ``unknown``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from telephony_agent.simulator.callee import Detected
from telephony_agent.simulator.caller import Cue
from telephony_agent.simulator.noises import RATE
from telephony_agent.simulator.script import NoiseStep, SayStep, WaitStep

_FAX_MS: Final = 1000


class Detection(StrEnum):
    """What a call asks of detection (``MachineDetection``)."""

    OFF = ""
    ENABLE = "Enable"
    MESSAGE_END = "DetectMessageEnd"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The request's numbers, with Twilio's defaults."""

    timeout_ms: int = 30_000
    speech_ms: int = 2_400
    speech_end_ms: int = 1_200
    silence_ms: int = 5_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of who answered (``AnsweredBy``), and how long after the answer."""

    answered_by: str
    after_ms: int


def verdict(detected: Detected, cues: Iterable[Cue], detection: Detection, thresholds: Thresholds) -> Verdict:
    """Say what detection makes of a callee whose sounds are ``cues``."""
    found = _verdict(detected, _opening(cues), detection, thresholds)
    return found if found.after_ms <= thresholds.timeout_ms else Verdict("unknown", thresholds.timeout_ms)


@dataclass(frozen=True, slots=True)
class _Opening:
    """What is heard without the agent doing anything, in ms after the answer; no beep: ``None``."""

    words_end_ms: int
    sound_ends_ms: int
    beep_ends_ms: int | None


def _opening(cues: Iterable[Cue]) -> _Opening:
    at_ms, words_end_ms, sound_ends_ms = 0, 0, 0
    beep_ends_ms: int | None = None
    for cue in cues:
        step = cue.step
        if not (isinstance(step, WaitStep | NoiseStep) or (isinstance(step, SayStep) and step.at_once)):
            break
        at_ms += len(cue.pcm) * 1000 // RATE
        if isinstance(step, WaitStep):
            continue
        sound_ends_ms = at_ms
        words_end_ms = words_end_ms or at_ms
        if isinstance(step, NoiseStep) and step.kind == "beep":
            beep_ends_ms = at_ms
            break
    return _Opening(words_end_ms, sound_ends_ms, beep_ends_ms)


def _verdict(detected: Detected, opening: _Opening, detection: Detection, thresholds: Thresholds) -> Verdict:
    match detected:
        case Detected.HUMAN:
            return Verdict("human", opening.words_end_ms + thresholds.speech_end_ms)
        case Detected.MACHINE if detection is Detection.MESSAGE_END:
            if opening.beep_ends_ms is not None:
                return Verdict("machine_end_beep", opening.beep_ends_ms)
            return Verdict("machine_end_silence", opening.sound_ends_ms + thresholds.speech_end_ms)
        case Detected.MACHINE:
            return Verdict("machine_start", thresholds.speech_ms)
        case Detected.FAX:
            return Verdict("fax", _FAX_MS)
        case Detected.UNKNOWN:
            return Verdict("unknown", thresholds.silence_ms)
        case _:
            assert_never(detected)
