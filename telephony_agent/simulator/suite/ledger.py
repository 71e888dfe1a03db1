"""The agent's own ledger of what was heard, read from its account, and compared with what the audio says.

The audio can't be read as words, but it can be measured: words that were heard last as long as they need. How long that
is, a *ruler* knows: the twin's own voice speaks the same words, and how much faster or slower the agent is, the replies
of the same call tell that were heard whole (their median; a single wrong one doesn't bend it). Only loud time counts,
so that pauses between phrases, or a late one, change nothing.

What is tolerated:

===========================  ===========================================================================================
4 % of the words' time, and  Two voices stress a sentence differently. In real calls with the default voice the replies
no less than 120 ms          that nobody spoke over were at most 2 % and 75 ms out.
four times the middle error  The ruler fits other voices less well (a British one by up to 8 %): how well, the call's
of the call's own replies    replies tell, if there are three that were heard whole.
the last word counted, and   Of what was not heard whole: the ``clear``, or the caller's hanging up, falls into a word.
the first not counted        The account counts whole words, to the nearest, by their share of a phrase's characters.
a word for each ``clear``    An agent that goes on after an aside begins at a word: it says the broken one again, or
that cut nothing off         leaves out the rest of it.
===========================  ===========================================================================================

So in a reply that nobody spoke over, one word (200 to 400 ms) too many or too few is found, up to a reply of 5 s at
least; in one that was cut, two words.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from telephony_agent.simulator.account import Account
from telephony_agent.simulator.mulaw import Pcm
from telephony_agent.simulator.playout import SAMPLES_PER_MS
from telephony_agent.simulator.suite.tracks import loud_spans, overlap_ms

Ruler = Callable[[str], float]
"""Tells how long words last, in a unit of its own: only ratios count. Never 0 for words."""

_VOICES_DIFFER: Final = 0.04
_VOICES_DIFFER_MS: Final = 120
_ERRORS: Final = 4
_MIN_FOR_ERROR: Final = 3


@dataclass(frozen=True, slots=True)
class Spoken:
    """One reply as the agent accounts for it; ``since_ms`` is when it could begin at the earliest."""

    since_ms: int
    reply: str
    heard: str

    @property
    def is_whole(self) -> bool:
        """Whether it was heard to its end."""
        return self.heard == self.reply

    @property
    def words(self) -> int:
        """How many of its words were heard."""
        return len(self.heard.split())

    @property
    def margin(self) -> int:
        """How many words that may be out: one, if not all were heard."""
        return 0 if self.is_whole else 1

    @property
    def is_prefix(self) -> bool:
        """Whether what was heard is the beginning of the reply; how much of it, the audio knows."""
        reply, heard = self.reply.split(), self.heard.split()
        return reply[: len(heard)] == heard


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The replies of one stretch of the call, and how long the agent was loud in it."""

    spoken: tuple[Spoken, ...]
    since_ms: int
    loud_ms: int
    clears: int

    @property
    def heard(self) -> str:
        return " ".join(filter(None, (one.heard for one in self.spoken)))

    @property
    def is_whole(self) -> bool:
        return all(one.is_whole for one in self.spoken)

    def differs(self, fit: _Fit) -> bool:
        """Tell whether what was heard is not what was audible."""
        heard_ms = fit.heard_ms(self)
        resumed = self.clears if self.is_whole else max(0, self.clears - 1)
        words_ms = resumed * heard_ms / max(1, sum(one.words for one in self.spoken))
        allowed_ms = words_ms + max(_VOICES_DIFFER_MS, max(_VOICES_DIFFER, _ERRORS * fit.error) * heard_ms)
        least_ms = sum(fit.beginning_ms(one.reply, one.words - one.margin) for one in self.spoken) - allowed_ms
        most_ms = sum(fit.beginning_ms(one.reply, one.words + one.margin) for one in self.spoken) + allowed_ms
        return not least_ms <= self.loud_ms <= most_ms


@dataclass(frozen=True, slots=True)
class _Fit:
    """A ruler fitted to the agent's voice: ms of its speech for one unit, and the middle error of that, as a share."""

    ruler: Ruler
    rate: float
    error: float

    @classmethod
    def to(cls, stretches: Sequence[_Stretch], ruler: Ruler) -> _Fit:
        """Fit it to what was heard whole, if possible without a ``clear`` in it; the rate is 0 if nothing was."""
        whole = [one for one in stretches if one.is_whole and one.loud_ms]
        whole = [one for one in whole if not one.clears] or whole
        rates = [one.loud_ms / ruler(one.heard) for one in whole]
        if not rates:
            return cls(ruler, 0.0, 0.0)
        rate = statistics.median(rates)
        error = statistics.median(abs(one / rate - 1) for one in rates) if len(rates) >= _MIN_FOR_ERROR else 0.0
        return cls(ruler, rate, error)

    def heard_ms(self, stretch: _Stretch) -> float:
        """Measure how long the agent needs for what it says was heard."""
        return sum(self.beginning_ms(one.reply, one.words) for one in stretch.spoken)

    def beginning_ms(self, reply: str, words: int) -> float:
        """Measure how long the agent needs for the first words of a reply: for all of it, without the rest.

        Spoken by themselves they would last longer, with a stress and a fall at their end.
        """
        rest = " ".join(reply.split()[max(0, words) :])
        return max(0.0, self._ms(reply) - self._ms(rest))

    def _ms(self, text: str) -> float:
        return self.ruler(text) * self.rate if text else 0.0


@dataclass(frozen=True, slots=True)
class Ledger:
    """The replies of one call in order, the greeting first; ``speech_ms`` are the onsets of all speech it heard.

    ``is_known`` is false when the agent would not tell.
    """

    spoken: tuple[Spoken, ...]
    speech_ms: tuple[int, ...]
    is_known: bool = True

    @classmethod
    def read(cls, account: Account) -> Ledger:
        """Take the replies out of an account. Keys and silence have no time of their own.

        A turn without a reply (an aside, or a noise that was no words) leaves the reply before it going on.
        """
        if account.problem:
            return cls((), (), is_known=False)
        spoken = [Spoken(0, account.greeting, account.greeting_heard)]
        for turn in account.turns:
            if not turn.get("reply"):
                continue
            since_ms = max(spoken[-1].since_ms, turn["ended_ms"])
            spoken.append(Spoken(since_ms, str(turn["reply"]), str(turn.get("reply_heard") or "")))
        speech = tuple(turn["started_ms"] for turn in account.turns if turn.get("input") in ("speech", "aside"))
        return cls(tuple(spoken), speech)

    def heard_whole(self, at_ms: int) -> bool:
        """Tell whether the reply that was being spoken at a time was heard to its end; yes if nothing is known."""
        before = [one for one in self.spoken if one.since_ms <= at_ms and one.reply]
        return not before or before[-1].heard == before[-1].reply

    def compare(self, agent: Pcm, clears_ms: Sequence[int], ruler: Ruler) -> Iterator[tuple[int, bool, str]]:
        """Compare every reply with the agent's track: when it was, whether they differ, and how.

        Replies to keys or to silence have no time of their own, so they are compared together with the one before.
        """
        stretches = [one for one in self._stretches(agent, clears_ms) if any(spoken.reply for spoken in one.spoken)]
        fit = _Fit.to(stretches, ruler)
        for one in stretches:
            is_prefix = all(spoken.is_prefix for spoken in one.spoken)
            differs = not is_prefix or (fit.rate > 0 and one.differs(fit))
            text = f"{one.loud_ms} ms of audio, {fit.heard_ms(one):.0f} ms of words by the account: {one.heard}"
            yield one.since_ms, differs, text

    def _stretches(self, agent: Pcm, clears_ms: Sequence[int]) -> Iterator[_Stretch]:
        if not self.is_known:
            return
        loud = loud_spans(agent)
        groups = [tuple(group) for _, group in groupby(self.spoken, key=lambda one: one.since_ms)]
        ends = [*(group[0].since_ms for group in groups[1:]), len(agent) // SAMPLES_PER_MS]
        for group, end_ms in zip(groups, ends, strict=True):
            since_ms = group[0].since_ms
            clears = sum(since_ms <= ms < end_ms for ms in clears_ms)
            yield _Stretch(group, since_ms, overlap_ms(loud, since_ms, end_ms), clears)
