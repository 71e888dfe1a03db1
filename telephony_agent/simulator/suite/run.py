"""Places the suite's calls, one after the other or several at once, and gathers what became of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from telephony_agent.simulator.account import Account, AccountClient
from telephony_agent.simulator.call import CallResult, PlacedCall, place_call
from telephony_agent.simulator.parties import Parties
from telephony_agent.simulator.playout import SAMPLES_PER_MS
from telephony_agent.simulator.script import Voice
from telephony_agent.simulator.speech import Speaker
from telephony_agent.simulator.suite.scenarios import Family, Scenario
from telephony_agent.simulator.suite.scores import observe
from telephony_agent.simulator.suite.tally import Observation
from telephony_agent.simulator.suite.tracks import loud_spans, overlap_ms

_RULER: Final = Voice("en-us")
"""What the agent's words are measured with: its own default accent."""


@dataclass(frozen=True, slots=True)
class Target:
    """The agent to call: where it listens, the address that it believes to have, and the secrets shared with it."""

    url: str
    public_url: str
    account_sid: str
    auth_token: str
    api_token: str


@dataclass(frozen=True, slots=True)
class Played:
    """A scenario that was played: the call, the agent's account of it, and its observations."""

    scenario: Scenario
    result: CallResult
    account: Account
    observations: tuple[Observation, ...]

    @property
    def turned_away(self) -> bool:
        """Whether the agent had no place for the call."""
        return self.result.turned_away

    @property
    def cut_short(self) -> bool:
        """Whether the call ended before the caller had said everything; not that it was turned away."""
        return not self.result.said_everything and not self.turned_away


async def play(
    scenarios: Sequence[Scenario], target: Target, speaker: Speaker, *, at_once: int = 1
) -> AsyncIterator[Played]:
    """Place every call, in real time, and give each as soon as it has ended.

    As long as there are enough, ``at_once`` calls are held side by side. One that is turned away is given as such, and
    placed again when another has ended; if there was no other, it was its turn.

    Raises:
        SpeechError: espeak-ng fails.
    """
    waiting = deque(scenarios)
    live: set[asyncio.Task[Played]] = set()
    is_full = False
    async with AccountClient(target.url, target.api_token) as client:
        try:
            while waiting or live:
                while waiting and len(live) < at_once and not is_full:
                    live.add(asyncio.create_task(_played(waiting.popleft(), target, speaker, client)))
                ended, live = await asyncio.wait(live, return_when=asyncio.FIRST_COMPLETED)
                calls = [task.result() for task in ended]
                has_others = bool(live) or not all(call.turned_away for call in calls)
                is_full = bool(live) and any(call.turned_away for call in calls)
                for call in calls:
                    if call.turned_away and has_others:
                        waiting.appendleft(call.scenario)
                    yield call
        finally:
            for task in live:
                task.cancel()
            await asyncio.gather(*live, return_exceptions=True)


async def _played(scenario: Scenario, target: Target, speaker: Speaker, client: AccountClient) -> Played:
    call = PlacedCall(
        scenario.script,
        target.url,
        target.public_url,
        target.auth_token,
        Parties(account_sid=target.account_sid),
        scenario.behaviour,
        seed=scenario.seed,
    )
    result = await place_call(call, speaker=speaker)
    account = await client.fetch(result.call_sid)
    # In a thread: it speaks what the agent said, and another call's clock must not wait for that.
    found = await asyncio.to_thread(observe, scenario, result, account, partial(_loud_ms, speaker))
    return Played(scenario, result, account, found)


def _loud_ms(speaker: Speaker, text: str) -> int:
    """Measure how long the twin's own voice is loud in a text; 1 for one without a sound, such as a lone dash."""
    if not any(character.isalnum() for character in text):
        return 1
    pcm = speaker.text(text, _RULER)
    return overlap_ms(loud_spans(pcm), 0, len(pcm) // SAMPLES_PER_MS)


def observations(played: Iterable[Played], families: frozenset[Family] = frozenset(Family)) -> tuple[Observation, ...]:
    """Gather the observations of many calls, or of those of some families."""
    return tuple(one for call in played if call.scenario.family in families for one in call.observations)
