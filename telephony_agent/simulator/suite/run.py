"""Places the suite's calls, one after the other, and gathers what became of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from telephony_agent.simulator.account import Account, AccountClient
from telephony_agent.simulator.call import CallResult, PlacedCall, place_call
from telephony_agent.simulator.parties import Parties
from telephony_agent.simulator.speech import Speaker
from telephony_agent.simulator.suite.scenarios import Family, Scenario
from telephony_agent.simulator.suite.scores import observe
from telephony_agent.simulator.suite.tally import Observation


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
    def cut_short(self) -> bool:
        """Whether the call ended before the caller had said everything."""
        return not self.result.said_everything


async def play(scenarios: Sequence[Scenario], target: Target, speaker: Speaker) -> AsyncIterator[Played]:
    """Place every call in turn, in real time, and give each as soon as it has ended.

    Raises:
        SpeechError: espeak-ng fails.
    """
    async with AccountClient(target.url, target.api_token) as client:
        for scenario in scenarios:
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
            yield Played(scenario, result, account, observe(scenario, result, account))


def observations(played: Iterable[Played], families: frozenset[Family] = frozenset(Family)) -> tuple[Observation, ...]:
    """Gather the observations of many calls, or of those of some families."""
    return tuple(one for call in played if call.scenario.family in families for one in call.observations)
