"""Our voice in a call: what is said in which turn, and the one ledger of what was heard of it.

While it is not yet clear whether the caller wants the floor or only says "mm-hm", the voice is *paused*: Twilio's
buffer is cleared, but what was not heard is kept, from the word where it stopped, and what is said meanwhile queues
behind it.
"""

from __future__ import annotations

from collections.abc import Sequence

from telephony_agent.audio import BYTES_PER_MS
from telephony_agent.core.conversation import Turn
from telephony_agent.core.echo import EchoJudge
from telephony_agent.core.events import Action, SendClear, SendMark, SendMedia
from telephony_agent.core.playout import MediaDue, Phrase, Playout


class Voice:
    """Speaks phrases in order and accounts for them. ``now`` is monotonic seconds."""

    def __init__(self) -> None:
        self._playout = Playout()
        self._echo = EchoJudge()
        self._phrases: dict[int, list[Phrase]] = {}
        self._told: dict[int, list[str]] = {}
        """What was heard of the phrases of earlier streams, whose audio nobody needs any more."""
        self._told_bytes = 0
        self._silent_at: float | None = None
        self._kept: list[tuple[int, str, bytes]] | None = None

    def say(self, turn: Turn, text: str, audio: bytes) -> None:
        """Speak one phrase (mu-law, whole frames) behind those that are still to be heard."""
        if self._kept is not None:
            self._kept.append((turn.number, text, audio))
        else:
            self._add(turn.number, text, audio)

    def returned(self, mark: str, now: float) -> None:
        """Take a mark's echo."""
        self._playout.returned(mark, now)

    def audible(self, now: float) -> bool:
        """Tell whether the caller hears us now, or is about to."""
        return self._playout.audible(now)

    def saying(self, now: float) -> str:
        """Return the phrase that the caller hears now; empty when there is none."""
        return self._playout.playing(now)

    def is_echo(self, level_dbov: float, now: float) -> bool:
        """Tell whether a frame is only our own voice coming back; to be asked of every frame, in order."""
        return self._echo.is_echo(level_dbov, now)

    def settled(self, now: float) -> bool:
        """Tell whether all that was said is known to be heard or cleared."""
        return self._playout.settled(now)

    def due(self, now: float) -> list[Action]:
        """Return what must be sent now."""
        actions: list[Action] = []
        for due in self._playout.due(now):
            if isinstance(due, MediaDue):
                self._echo.sent(due.payload, due.plays_at)
                actions.append(SendMedia(due.payload, due.plays_at + self._playout.lag_s))
            else:
                actions.append(SendMark(due.name))
        self._silent_at = self._playout.ends_at if self._playout.audible(now) else None
        return actions

    def deadlines(self) -> tuple[float | None, float | None]:
        """Return when something must be sent next, and when we fall silent."""
        return self._playout.deadline(), self._silent_at

    def pause(self, now: float) -> list[Action]:
        """Be silent at once, but keep what was not heard."""
        cut = self._playout.clear(now)
        self._echo.cleared(now)
        self._kept = [(phrase.turn, *phrase.remainder()) for phrase in cut]
        return [self._clear(now)]

    def resume(self) -> None:
        """Go on from the word where the pause began."""
        kept, self._kept = self._kept or [], None
        for turn, text, audio in kept:
            self._add(turn, text, audio)

    def stop(self, turns: Sequence[Turn], now: float) -> list[Action]:
        """Be silent at once; turns of which something was cut are marked as interrupted."""
        kept, self._kept = self._kept or [], None
        cut = {turn for turn, _, _ in kept}
        audible = self._playout.audible(now)
        if audible:
            cut |= {phrase.turn for phrase in self._playout.clear(now)}
            self._echo.cleared(now)
        for turn in turns:
            turn.interrupted |= turn.number in cut
        return [self._clear(now)] if audible else []

    def hang_up(self, now: float) -> None:
        """Settle the account: what was not heard by now never will be."""
        self._playout.clear(now)
        self._echo.cleared(now)
        self._kept = None
        for turn, phrases in self._phrases.items():
            self._told.setdefault(turn, []).extend(phrase.heard_text() for phrase in phrases)
            self._told_bytes += sum(phrase.heard for phrase in phrases)
        self._phrases.clear()

    @property
    def heard_ms(self) -> int:
        """How much of our sound was heard, by the last account, over all streams."""
        live = sum(phrase.heard for phrases in self._phrases.values() for phrase in phrases)
        return (self._told_bytes + live) // BYTES_PER_MS

    def account(self, turns: Sequence[Turn], now: float) -> None:
        """Bring each turn's ``reply_heard`` up to now."""
        self._playout.advance(now)
        for turn in turns:
            heard = [phrase.heard_text() for phrase in self._phrases.get(turn.number, ())]
            turn.reply_heard = " ".join(filter(None, (*self._told.get(turn.number, ()), *heard)))

    def _clear(self, now: float) -> SendClear:
        return SendClear(now + self._playout.lag_s)

    def _add(self, turn: int, text: str, audio: bytes) -> None:
        if audio:
            self._phrases.setdefault(turn, []).append(self._playout.add(turn, text, audio))
