"""The five shipped callers, all at once, against the agent in a process of its own, with the pocket models."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from telephony_agent.simulator import CallResult, Parties, PlacedCall, load, place_call
from telephony_agent.simulator.account import Account, AccountClient
from telephony_agent.simulator.agent_process import PUBLIC_URL, Credentials, running_agent
from telephony_agent.simulator.report import Report
from telephony_agent.simulator.script_file import shipped_names

pytestmark = [pytest.mark.torch, pytest.mark.alone]


async def call(script: str, url: str, secrets: Credentials) -> Report:
    parties = Parties(account_sid=secrets.account_sid)
    result: CallResult = await place_call(PlacedCall(load(script), url, PUBLIC_URL, secrets.auth_token, parties))
    async with AccountClient(url, secrets.api_token) as client:
        account: Account = await client.fetch(parties.call_sid)
    return Report(result, account)


@pytest.fixture(scope="module")
def reports() -> Iterator[dict[str, Report]]:
    """One call of each script, held at the same time; the agent's places suffice for all."""

    async def scenario() -> list[Report]:
        secrets = Credentials()
        async with running_agent(secrets) as agent:
            return await asyncio.gather(*(call(name, agent.url, secrets) for name in shipped_names()))

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AGENT_MODELS", "pocket")
        environment.setenv("AGENT_MAX_CALLS", "10")
        yield dict(zip(shipped_names(), asyncio.run(scenario()), strict=True))


@pytest.mark.parametrize("script", shipped_names())
def test_a_shipped_caller_gets_through_its_call(reports: dict[str, Report], script: str) -> None:
    report = reports[script]
    assert report.problems() == ()
    assert not report.result.warnings


def test_the_quickstart_caller_is_understood_and_answered_by_name_day_and_time(reports: dict[str, Report]) -> None:
    turns = reports["quickstart"].turns
    assert len(turns) >= 5
    heard = " ".join(turn.reply_heard or "" for turn in turns)
    for words in ("Bluefinch", "Sarah", "nineteen dollars", "Thursday", "10:30"):
        assert words in heard


def test_what_the_agent_says_is_fit_for_the_line(reports: dict[str, Report]) -> None:
    for name, report in reports.items():
        for stream in report.result.streams:
            measures = stream.measures
            assert measures.clipped_runs == 0, name
            assert measures.level_dbov is not None
            assert -26 <= measures.level_dbov <= -20, name
            assert not [gap for gap in measures.gaps_ms if gap > 60], name
            # A mailbox talks on over our greeting. With five calls at once its words may take so long to be known that
            # we go on, as is the rule; that isn't stale, and the suite counts it in single calls.
            assert measures.stale_ms == 0 or name == "voicemail", name
