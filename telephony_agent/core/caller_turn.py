"""The caller's side of a turn: what was said, what was understood of it, and whether it is decided that it is over.

The transcript may come before the end of the turn is decided (it is made during the trailing silence) or after it;
only when both are there can the turn be answered. Speech that resumes makes every earlier attempt worthless.
"""

from __future__ import annotations

from dataclasses import dataclass

from telephony_agent.core.conversation import Turn
from telephony_agent.core.endpointing import MaybeEnded
from telephony_agent.core.events import EngineFailed, Transcribe, Transcribed


@dataclass(slots=True)
class CallerTurn:
    """One turn while the caller has the floor, or waits for us to understand.

    ``over`` is the turn of ours that the caller speaks over, as long as this may still be an aside; ``protected`` says
    that only words may end what we were saying then. ``before`` are words of the turn from before a pause that we took
    for its end.
    """

    turn: Turn
    over: Turn | None = None
    protected: bool = False
    before: str = ""
    attempt: int = 0
    outcome: Transcribed | EngineFailed | None = None
    decided_at: float | None = None
    speculations: int = 0

    @property
    def open(self) -> bool:
        """Whether the caller may still go on."""
        return self.decided_at is None

    @property
    def answerable(self) -> bool:
        """Whether its end is decided and its words are known, or known to be lost."""
        return self.decided_at is not None and self.outcome is not None

    @property
    def words(self) -> str | None:
        """All that was understood of the turn; None while nothing is known of its end."""
        if not isinstance(self.outcome, Transcribed):
            return None
        return f"{self.before} {self.outcome.text}".strip()

    def transcribe(self, utterance: MaybeEnded) -> Transcribe:
        """Ask for the words of the utterance up to now."""
        self.attempt += 1
        self.outcome = None
        return Transcribe(self.turn.number, self.attempt, utterance.audio)

    def resume(self) -> None:
        """Forget what was understood: there is more."""
        self.attempt += 1
        self.outcome = None
        self.turn.transcript = self.before

    def reopen(self) -> None:
        """Take back its end: the caller goes on before we were heard."""
        self.before = self.turn.transcript
        self.decided_at = None
        self.outcome = None
        self.turn.reply = ""

    def learn(self, outcome: Transcribed | EngineFailed) -> None:
        """Take what the transcriber made of it; results of older attempts change nothing."""
        attempt = outcome.attempt if isinstance(outcome, Transcribed) else outcome.item
        if (outcome.turn, attempt) == (self.turn.number, self.attempt):
            self.outcome = outcome

    def decide(self, started_ms: int, speech_end_ms: int, endpoint_ms: int, now: float) -> None:
        """End it: from here on every millisecond is ours."""
        self.decided_at = now
        self.turn.ended_ms = speech_end_ms
        if not self.before:
            self.turn.started_ms = started_ms
        self.turn.timings["endpoint_ms"] = endpoint_ms
