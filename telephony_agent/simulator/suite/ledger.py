"""The agent's own ledger of what was heard, read from its account, and compared with what the audio says.

The audio can't be read as words, but its length can be compared: within one call the agent speaks at one rate, so the
loud time of a reply tells how many characters of it were out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from telephony_agent.simulator.account import Account
from telephony_agent.simulator.mulaw import Pcm
from telephony_agent.simulator.playout import SAMPLES_PER_MS
from telephony_agent.simulator.suite.tracks import loud_spans, overlap_ms

_TOLERANCE: Final = 0.25
_TOLERANCE_CHARACTERS: Final = 12
"""Two short words: the account counts whole words, and phrases differ in their rate."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """One reply as the agent accounts for it; ``since_ms`` is when it could begin at the earliest."""

    since_ms: int
    reply: str
    heard: str

    @property
    def is_prefix(self) -> bool:
        """Whether what was heard is the beginning of the reply; how much of it, the audio knows."""
        reply, heard = self.reply.split(), self.heard.split()
        return reply[: len(heard)] == heard


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
        """Take the replies out of an account. Asides have none, and keys and silence no time of their own."""
        if account.problem:
            return cls((), (), is_known=False)
        spoken = [Spoken(0, account.greeting, account.greeting_heard)]
        for turn in account.turns:
            if turn.get("input") == "aside":
                continue
            spoken.append(
                Spoken(
                    since_ms=max(spoken[-1].since_ms, turn["ended_ms"]),
                    reply=str(turn.get("reply") or ""),
                    heard=str(turn.get("reply_heard") or ""),
                )
            )
        speech = tuple(turn["started_ms"] for turn in account.turns if turn.get("input") in ("speech", "aside"))
        return cls(tuple(spoken), speech)

    def heard_whole(self, at_ms: int) -> bool:
        """Tell whether the reply that was being spoken at a time was heard to its end; yes if nothing is known."""
        before = [one for one in self.spoken if one.since_ms <= at_ms and one.reply]
        return not before or before[-1].heard == before[-1].reply

    def compare(self, agent: Pcm) -> Iterator[tuple[int, bool, str]]:
        """Compare every reply with the agent's track: when it was, whether they differ, and how.

        Replies to keys or to silence have no time of their own, so they are compared together with the one before.
        """
        if not self.is_known:
            return
        loud = loud_spans(agent)
        groups = [list(group) for _, group in groupby(self.spoken, key=lambda one: one.since_ms)]
        ends = [*(group[0].since_ms for group in groups[1:]), len(agent) // SAMPLES_PER_MS]
        lasted = [overlap_ms(loud, group[0].since_ms, end) for group, end in zip(groups, ends, strict=True)]
        rate = _characters_per_ms(groups, lasted)
        for group, ms in zip(groups, lasted, strict=True):
            if not any(one.reply for one in group):
                continue
            heard = " ".join(filter(None, (one.heard for one in group)))
            audible = round(ms * rate) if rate else len(heard)
            allowed = max(_TOLERANCE_CHARACTERS, _TOLERANCE * len(heard))
            differs = not all(one.is_prefix for one in group) or abs(audible - len(heard)) > allowed
            text = f"{len(heard)} characters by the account, {audible} by the audio: {heard}"
            yield group[0].since_ms, differs, text


def _characters_per_ms(groups: Sequence[Sequence[Spoken]], lasted: Sequence[int]) -> float:
    """Compute the agent's rate from what was heard whole; 0 if nothing was."""
    characters = total_ms = 0
    for group, ms in zip(groups, lasted, strict=True):
        if all(one.heard == one.reply for one in group):
            characters += sum(len(one.reply) for one in group)
            total_ms += ms
    return characters / total_ms if total_ms else 0.0
