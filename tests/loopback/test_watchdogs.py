"""Calls that go wrong without anybody's word: nothing comes, nothing is read, an engine hangs again and again."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.websockets import WebSocket

from telephony_agent.engines.scripted import Hold, ScriptedResponder, ScriptedSynthesizer, ScriptedTranscriber
from telephony_agent.live import lanes, second_streams
from telephony_agent.web import media
from telephony_agent.web.media import Socket
from tests.loopback.agent import Agent, Parts, running
from tests.loopback.client import ACCOUNT_SID, STREAM_SID, ask_for_stream, call_sid, calling, post, wait_for
from tests.loopback.test_faults import QUICK, UNHURRIED
from tests.loopback.test_second_streams import SHORT, parts

SID = call_sid(1)


def counted(agent: Agent, name: str, **labels: str) -> float | None:
    return agent.site.metrics.registry.get_sample_value(f"telephony_agent_{name}", labels)


def test_a_line_on_which_nothing_comes_is_lost_and_the_caller_may_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "QUIET_LINE_S", 0.3)

    async def scenario(agent: Agent) -> None:
        async with calling(agent, SID) as client:
            assert (await client.closed())[0] == 1008

    with running(parts(tmp_path)) as agent:
        asyncio.run(scenario(agent))
        assert "<Connect" in post(agent, "/twilio/stream-ended", {"CallSid": SID}).text
        assert counted(agent, "lines_lost_total", reason="quiet") == 1


class DeafPeer:
    """A websocket, as ASGI sees it, that speaks and never takes a message."""

    def __init__(self, parameters: dict[str, str]) -> None:
        start = {
            "accountSid": ACCOUNT_SID,
            "streamSid": STREAM_SID,
            "callSid": SID,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": parameters,
        }
        text = json.dumps({"event": "start", "sequenceNumber": "1", "streamSid": STREAM_SID, "start": start})
        self._says: list[dict[str, Any]] = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": text}]

    async def receive(self) -> dict[str, Any]:
        if not self._says:
            await asyncio.Event().wait()
        return self._says.pop(0)

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.send":
            await asyncio.Event().wait()


def test_a_line_that_takes_nothing_of_what_we_say_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "UNSENT_S", 0.1)
    monkeypatch.setattr(second_streams, "RECONNECT_S", 0.1)

    async def scenario(agent: Agent, peer: DeafPeer) -> None:
        websocket = WebSocket({"type": "websocket", "path": "/twilio/media"}, peer.receive, peer.send)
        await websocket.accept()
        assert agent.site.switchboard is not None
        await Socket(websocket, agent.site.switchboard, agent.site.metrics).serve()

    with running(parts(tmp_path)) as agent:
        peer = DeafPeer(ask_for_stream(agent, SID))
        asyncio.run_coroutine_threadsafe(scenario(agent, peer), agent.loop).result(10)
        wait_for(lambda: agent.account(SID)["state"] == "ended")
        assert agent.account(SID)["end_reason"] == "line"
        assert counted(agent, "lines_lost_total", reason="unread") == 1


def test_when_an_engine_hangs_again_and_again_calls_take_leave_and_none_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "MAX_LOST", 0)
    monkeypatch.setattr(lanes, "LOST_AFTER_S", 0.1)
    hold = Hold()
    stuck = Parts(
        ScriptedTranscriber(otherwise="hello there"),
        ScriptedResponder([hold], otherwise="I see."),
        ScriptedSynthesizer(ms_per_character=15),
        deadlines=QUICK,
        rules=UNHURRIED,
        playbook=SHORT,
        data_dir=tmp_path,
    )

    async def scenario(agent: Agent) -> None:
        async with calling(agent, SID) as client:
            await client.hears()
            await client.says()
            await client.hears()
            await client.closed()

    with running(stuck) as agent:
        try:
            asyncio.run(scenario(agent))
            account = agent.account(SID)
            assert account["end_reason"] == "fault"
            assert SHORT.fault_goodbye in account["turns"][0]["reply"]
            assert httpx.get(f"{agent.url}/readyz", trust_env=False).text == "not ready"
            assert counted(agent, "engine_threads_lost_total", lane="respond") == 1
        finally:
            hold.release.set()
