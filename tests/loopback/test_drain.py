"""A server that is told to stop: its calls go on, take leave, and end, and no new one is taken."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from telephony_agent.live import switchboard
from telephony_agent.web.server import PoliteServer, server_config
from tests.loopback.agent import Agent, running
from tests.loopback.client import call_sid, calling, post, wait_for
from tests.loopback.test_second_streams import SHORT, asks_for_a_person, cut, element_url, form_to, parts, path_of

SID = call_sid(1)


@pytest.fixture(autouse=True)
def _no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switchboard, "LINGER_S", 0.0)


@contextmanager
def draining(agent: Agent, limit_s: float) -> Iterator[Future[None]]:
    """Tell the agent's server to stop taking calls; yields what is done when it has no more."""
    assert agent.site.switchboard is not None
    yield asyncio.run_coroutine_threadsafe(agent.site.switchboard.drain(limit_s), agent.loop)


def readiness(agent: Agent) -> tuple[int, str]:
    answer = httpx.get(f"{agent.url}/readyz", trust_env=False)
    return answer.status_code, answer.text


def test_a_live_call_goes_on_while_the_server_drains_and_new_ones_hear_that_all_lines_are_busy(tmp_path: Path) -> None:
    async def scenario(agent: Agent) -> None:
        async with calling(agent, SID) as client:
            await client.hears()
            with draining(agent, 30.0) as drained:
                await asyncio.to_thread(wait_for, lambda: readiness(agent) == (503, "draining"))
                turned_away = await form_to(agent, "/twilio/voice", CallSid=call_sid(2))
                assert "all our lines are busy" in turned_away
                await client.says()
                await client.hears()
                assert not drained.done()
                await client.stop()
                await client.closed()
                await asyncio.to_thread(drained.result, 10)

    with running(parts(tmp_path)) as agent:
        asyncio.run(scenario(agent))
        account = agent.account(SID)
        assert account["end_reason"] == "caller"
        assert account["turns"][0]["reply_heard"] == "I see. What else?"


def test_a_call_that_goes_on_for_too_long_takes_leave(tmp_path: Path) -> None:
    async def scenario(agent: Agent) -> None:
        async with calling(agent, SID) as client:
            await client.hears()
            with draining(agent, 0.1) as drained:
                await client.hears()
                await client.closed()
                await asyncio.to_thread(drained.result, 10)

    with running(parts(tmp_path)) as agent:
        asyncio.run(scenario(agent))
        account = agent.account(SID)
        assert account["end_reason"] == "shutdown"
        assert account["greeting"]["heard"].endswith(SHORT.goodbye)


def test_a_caller_whose_line_broke_is_not_waited_for(tmp_path: Path) -> None:
    async def scenario(agent: Agent) -> None:
        async with calling(agent, SID) as client:
            await client.hears()
            cut(client)
        account = agent.site.switchboard
        assert account is not None
        await asyncio.to_thread(wait_for, lambda: (call := account.find(SID)) is not None and call.away is not None)
        with draining(agent, 30.0) as drained:
            await asyncio.to_thread(drained.result, 10)

    with running(parts(tmp_path)) as agent:
        asyncio.run(scenario(agent))
        assert agent.account(SID)["end_reason"] == "line"
        assert "<Connect" not in post(agent, "/twilio/stream-ended", {"CallSid": SID}).text


@pytest.mark.parametrize("takes_it", [True, False])
def test_a_person_who_is_being_rung_is_waited_for(tmp_path: Path, takes_it: bool) -> None:
    async def scenario(agent: Agent) -> None:
        dial = await asks_for_a_person(agent)
        with draining(agent, 30.0) as drained:
            await asyncio.to_thread(wait_for, lambda: readiness(agent) == (503, "draining"))
            assert not drained.done()
            if takes_it:
                await form_to(agent, path_of(element_url(dial)).replace("whisper", "joined"), Digits="1")
            else:
                answer = await form_to(agent, path_of(dial.get("action")), DialCallStatus="busy")
                assert "nobody can take this call" in answer
            await asyncio.to_thread(drained.result, 10)

    with running(parts(tmp_path, "can I talk to a real person")) as agent:
        asyncio.run(scenario(agent))
        assert agent.account(SID)["end_reason"] == ("transfer" if takes_it else "shutdown")


def test_a_second_signal_ends_the_drain_at_once() -> None:
    begun = threading.Event()

    async def drain() -> None:
        begun.set()
        await asyncio.Event().wait()

    server = PoliteServer(drain, server_config(Starlette(), "127.0.0.1", 0))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    server.handle_exit(signal.SIGTERM, None)
    assert begun.wait(5)
    assert thread.is_alive()
    server.handle_exit(signal.SIGTERM, None)
    thread.join(5)
    assert not thread.is_alive()
