"""The engines and the lanes that they run in: one set for all calls, loaded and warmed once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from telephony_agent.audio import SAMPLE_RATE, to_telephone
from telephony_agent.core.call_terms import Announcement, Announcements
from telephony_agent.engines.base import Responder, Synthesizer, Transcriber, VoiceDetector
from telephony_agent.errors import SynthesisError
from telephony_agent.live.lanes import Lane
from telephony_agent.sales.playbook import Playbook
from telephony_agent.telemetry import Metrics


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long a job may take, in seconds, waiting included."""

    transcribe_s: float = 6.0
    respond_s: float = 20.0
    synthesize_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Engines:
    """What ears, mind and voice a server has."""

    transcriber: Transcriber
    responder: Responder
    synthesizer: Synthesizer
    new_detector: Callable[[], VoiceDetector]

    def warm(self) -> None:
        """Run each engine once. Blocks for seconds; raises what the engines raise."""
        self.synthesizer.warm()
        self.responder.warm()
        self.transcriber.warm()
        self.transcriber.transcribe(bytes(2 * SAMPLE_RATE), SAMPLE_RATE)
        self.new_detector().is_speech(bytes(320))


class EngineRoom:
    """Engines, each in its lane."""

    def __init__(
        self, engines: Engines, deadlines: Deadlines, *, transcriber_workers: int = 1, metrics: Metrics | None = None
    ) -> None:
        self.engines = engines
        self.deadlines = deadlines
        self.transcribing = Lane("transcribe", workers=transcriber_workers, metrics=metrics)
        # One thread: a ReplySession is used by one thread at a time, and a CPU decodes one reply fastest alone.
        self.responding = Lane("respond", metrics=metrics)
        self.synthesizing = Lane("synthesize", metrics=metrics)

    @property
    def healthy(self) -> bool:
        """Whether new calls may be taken."""
        return all(lane.healthy for lane in self._lanes)

    def close(self) -> None:
        """Stop the lanes and what the engines started."""
        for lane in self._lanes:
            lane.close()
        self.engines.synthesizer.close()
        for lane in self._lanes:
            lane.join(1.0)

    @property
    def _lanes(self) -> tuple[Lane, Lane, Lane]:
        return self.transcribing, self.responding, self.synthesizing


def speak(synthesizer: Synthesizer, text: str, cancelled: Callable[[], bool] = lambda: False) -> bytes:
    """Synthesise a phrase for the line: mu-law, whole frames, trimmed and levelled. Blocks.

    Raises:
        SynthesisError: the engine failed.
    """
    pcm = b"".join(synthesizer.synthesize(text, cancelled))
    return to_telephone(pcm, synthesizer.sample_rate) if pcm else b""


def render_announcements(playbook: Playbook, synthesizer: Synthesizer) -> Announcements:
    """Speak the playbook's fixed words ahead of all calls. Blocks.

    Raises:
        SynthesisError: the engine failed, or an announcement holds nothing that can be heard.
    """

    def render(text: str) -> Announcement:
        audio = speak(synthesizer, text)
        if not audio:
            raise SynthesisError(f"the announcement {text!r} came out silent; change it in the playbook")
        return Announcement(text, audio)

    return Announcements(
        greeting=render(playbook.greeting),
        not_understood=render(playbook.not_understood),
        apology=render(playbook.apology),
        reprompts=tuple(render(text) for text in playbook.reprompts),
        fillers=tuple(render(text) for text in playbook.fillers),
        silence_goodbye=render(playbook.silence_goodbye),
        time_up=render(playbook.goodbye),
        fault_goodbye=render(playbook.fault_goodbye),
    )
