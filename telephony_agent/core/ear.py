"""What we hear of the caller: utterances, and speech over our own that wants the floor; our own echo is taken out."""

from __future__ import annotations

from telephony_agent.audio import BYTES_PER_MS
from telephony_agent.core.barge_in import BargeInJudge
from telephony_agent.core.call_terms import CallRules
from telephony_agent.core.endpointing import Endpointer, MaybeEnded, Signal, SpeechResumed, SpeechStarted
from telephony_agent.core.events import AudioHeard
from telephony_agent.core.voice import Voice


class Ear:
    """One call's ear. Tell it every frame that is heard, in order."""

    def __init__(self, rules: CallRules, voice: Voice) -> None:
        """``voice`` is what may come back as an echo."""
        self._voice = voice
        self._endpointer = Endpointer(rules.endpointing)
        self._judge = BargeInJudge(rules.barge_in)
        self._wants_floor = False
        self.utterance: MaybeEnded | None = None
        """The utterance that is open, as far as its last pause; None while the caller speaks."""

    @property
    def in_utterance(self) -> bool:
        """Whether an utterance is open, its trailing silence included."""
        return self._endpointer.in_utterance

    @property
    def started_ms(self) -> int:
        """Where the utterance that is open, or was last open, began on the stream's clock."""
        return self._endpointer.started_ms

    @property
    def spoken_ms(self) -> int:
        """How long the utterance has lasted at its last pause."""
        return len(self.utterance.audio) // BYTES_PER_MS if self.utterance is not None else 0

    def hear(self, event: AudioHeard, now: float) -> list[Signal]:
        """Take one frame; return what follows from it, in order."""
        speech = event.speech and not self._voice.is_echo(event.level_dbov, now)
        signals = self._endpointer.hear(event.frame, speech=speech)
        for signal in signals:
            match signal:
                case SpeechStarted():
                    self.utterance = None
                case MaybeEnded():
                    self.utterance = signal
                case SpeechResumed():
                    self.utterance = None
        # Of every frame: the first of an utterance count as well.
        self._wants_floor = self._judge.hear(speech=speech, level_dbov=event.level_dbov)
        return signals

    def wants_floor(self, *, over_ours: bool) -> bool:
        """Tell whether the caller now takes the floor; over our own speech that needs more."""
        return self.in_utterance and (self._wants_floor or not over_ours)

    def wait(self, silence_ms: int) -> None:
        """Take the utterance to be over after that much trailing silence."""
        self._endpointer.wait_ms = silence_ms
