"""The twin's account and the real server, with scripted engines: a call comes in through the number's voice URL."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from telephony_agent.simulator import Tunnel, TwinAccount, running_twin
from telephony_agent.simulator.script import HangUpStep, NoiseStep
from tests.loopback.agent import AUTH_TOKEN, PUBLIC_URL, Parts, running
from tests.simulator.calls import run
from tests.simulator.twin import OURS, PERSON, SETTINGS, callee, over


def test_the_real_server_takes_a_call_from_the_account() -> None:
    caller = callee("caller", NoiseStep("babble", 400, interrupt_ms=200), HangUpStep())

    async def tale() -> None:
        with running(Parts()) as agent:
            account = TwinAccount(SETTINGS.account.account_sid, AUTH_TOKEN, numbers=(OURS,))
            settings = replace(SETTINGS, account=account, tunnel=Tunnel(PUBLIC_URL, agent.url))
            async with running_twin(settings) as twin:
                (number,) = twin.exchange.numbers.values()
                twin.exchange.numbers[number.sid] = replace(
                    number, voice_url=f"{PUBLIC_URL}/twilio/voice", status_callback=f"{PUBLIC_URL}/twilio/status"
                )
                call = await over(await twin.exchange.ring_in(OURS, PERSON, caller))
                account_of_it = await asyncio.to_thread(agent.account, call.record.sid)
        assert (call.record.status, len(call.streams)) == ("completed", 1)
        assert [notice for notice in call.notices if notice.is_warning] == []
        assert {posted.status for posted in call.posted} <= {200, 204}
        assert len(call.agent_track) == len(call.other_track)
        assert call.agent_track.any()
        assert account_of_it["ended_by"]

    run(tale())
