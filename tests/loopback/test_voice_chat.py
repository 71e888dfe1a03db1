"""The voice chat through the real server: who may come, what is said, what is remembered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from telephony_agent.engines.scripted import ScriptedResponder, ScriptedSynthesizer, ScriptedTranscriber, Step
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.text_call import TextTerms
from telephony_agent.live.text_desk import TextDesk
from telephony_agent.live.voice_chat import VoiceTerms, wav_of
from telephony_agent.sales.phrasebook import Phrasebook
from telephony_agent.web.voice_wire import MAX_AUDIO_BYTES
from tests.loopback.agent import API_TOKEN, PLAYBOOK, Agent, Parts, running
from tests.loopback.client import wait_for

BEARER = {"Authorization": f"Bearer {API_TOKEN}"}
PATIENCE_S = 20.0
SOUND = wav_of(bytes(2 * 16_000), 16_000)


@contextmanager
def talking(folder: Path, *, heard: tuple[Step, ...] = (), replies: tuple[Step, ...] = ()) -> Iterator[Agent]:
    """Serve voice chats in which Whisper understands and the model says these."""
    responder = ScriptedResponder(replies, otherwise="I see. What else would you like to know?")
    # The first step is spent on warming up.
    transcriber = ScriptedTranscriber(("", *heard))
    parts = Parts(
        transcriber=transcriber,
        responder=responder,
        synthesizer=ScriptedSynthesizer(ms_per_character=5),
        data_dir=folder,
    )
    with running(parts) as agent:
        terms = TextTerms(responder, agent.room.responding, 10.0, Phrasebook.shipped())
        assert agent.site.store is not None
        agent.site.text_desk = TextDesk(
            SalesDesk(PLAYBOOK), terms, recorder=agent.site.store.recorder, voice=VoiceTerms(agent.room)
        )
        yield agent


def api(agent: Agent, method: str, path: str, **given: Any) -> httpx.Response:
    return httpx.request(method, f"{agent.url}/api/v1{path}", headers=BEARER, trust_env=False, timeout=30, **given)


def start(agent: Agent, channel: str = "voice") -> str:
    lead = {"name": "Anna Miller", "phone": "+15005550006"}
    answer = api(agent, "POST", "/sales/start-call", json={"lead": lead, "channel": channel})
    assert answer.status_code == 201, answer.text
    assert answer.json()["message"] == PLAYBOOK.greeting
    call_id: str = answer.json()["call_id"]
    return call_id


@asynccontextmanager
async def opened(agent: Agent, call_id: str, **given: Any) -> AsyncIterator[ClientConnection]:
    url = f"{agent.url.replace('http', 'ws', 1)}/api/v1/sales/ws/voice-chat/{call_id}"
    given = {"additional_headers": BEARER, **given}
    async with connect(url, proxy=None, compression=None, max_size=None, **given) as socket:
        yield socket


def story(tell: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await tell()

    asyncio.run(run())


async def until(socket: ClientConnection, kind: str) -> list[dict[str, Any]]:
    """Read up to a message of a kind; a sound is taken together with what announces it."""
    told: list[dict[str, Any]] = []
    while not told or told[-1]["type"] != kind:
        told.append(json.loads(await socket.recv()))
        if told[-1]["type"] == "audio":
            told[-1]["sound"] = await socket.recv()
    return told


async def closed(socket: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as gone:
        await until(socket, "nothing that is ever sent")
    assert gone.value.rcvd is not None
    return gone.value.rcvd.code, gone.value.rcvd.reason


def test_a_call_is_greeted_talked_in_by_sound_and_remembered(tmp_path: Path) -> None:
    async def tell() -> None:
        call_id = start(agent)
        async with opened(agent, call_id) as socket:
            greeting, turn = await until(socket, "turn")
            assert (greeting["text"], greeting["encoding"]) == (PLAYBOOK.greeting, "wav")
            assert greeting["sound"][:4] == b"RIFF"
            assert turn["ended"] is False
            await socket.send(SOUND)
            user, reply, turn = await until(socket, "turn")
            assert user == {"type": "user_text", "text": "what is it about"}
            assert reply["text"] == "It is about booking."
            assert turn["state"]["disclosed"]
            await socket.send('{"type":"audio","encoding":"pcm16","sample_rate":8000}')
            await socket.send(bytes(16_000))
            last = await until(socket, "system")
            assert [one["type"] for one in last] == ["user_text", "audio", "turn", "system"]
            assert last[2]["ended"] is True
            assert last[3]["message"] == "Call ended."
            assert (await closed(socket))[0] == 1000
        wait_for(lambda: bool(api(agent, "GET", "/calls", params={"live": "false"}).json()["calls"]))
        told = api(agent, "GET", f"/calls/{call_id}/transcript").json()
        assert told["call"]["channel"] == "voice"
        assert [one["reply_heard"] for one in told["turns"]] == [
            PLAYBOOK.greeting,
            "It is about booking.",
            "Have a good day.",
        ]

    replies = ("It is about booking.", "Have a good day.")
    with talking(tmp_path, heard=("what is it about", "thanks, goodbye"), replies=replies) as agent:
        story(tell)


def test_wrong_sound_is_told_and_the_call_goes_on(tmp_path: Path) -> None:
    async def tell() -> None:
        async with opened(agent, start(agent)) as socket:
            await until(socket, "turn")
            for wrong in (b"OggS", "hello", wav_of(bytes(2 * 8000 * 31), 8000), bytes(MAX_AUDIO_BYTES + 1)):
                await socket.send(wrong)
                assert (await until(socket, "error"))[-1]["message"]
            await socket.send('{"type":"text","text":"what is it about"}')
            assert (await until(socket, "turn"))[-2]["text"] == "It is about booking."

    with talking(tmp_path, replies=("It is about booking.",)) as agent:
        story(tell)


def test_a_browser_shows_its_token_as_a_subprotocol_or_in_its_first_message(tmp_path: Path) -> None:
    async def tell() -> None:
        call_id = start(agent)
        async with opened(agent, call_id, additional_headers={}, subprotocols=["bearer", API_TOKEN]) as socket:
            assert socket.subprotocol == "bearer"
            await until(socket, "turn")
        async with opened(agent, call_id, additional_headers={}) as socket:
            await socket.send(json.dumps({"type": "auth", "token": API_TOKEN}))
            await until(socket, "turn")

    with talking(tmp_path) as agent:
        story(tell)


def test_who_has_no_token_is_turned_away_and_learns_nothing(tmp_path: Path) -> None:
    async def tell() -> None:
        call_id = start(agent)
        for given in (
            {"additional_headers": {"Authorization": "Bearer wrong"}},
            {"additional_headers": {"Authorization": f"Basic {API_TOKEN}"}},
            {"additional_headers": {}, "subprotocols": ["bearer", "wrong"]},
        ):
            with pytest.raises(InvalidStatus) as refused:
                async with opened(agent, call_id, **given):
                    pass
            assert refused.value.response.status_code == 401
        for first in ('{"type":"auth","token":"wrong"}', '{"type":"text","text":"hi"}', "hello", b"RIFF"):
            for sid in (call_id, "V0"):
                async with opened(agent, sid, additional_headers={}) as socket:
                    await socket.send(first)
                    assert await closed(socket) == (1008, "a token is needed")

    with talking(tmp_path) as agent:
        story(tell)


def test_a_call_that_cannot_be_talked_in_is_refused_by_name(tmp_path: Path) -> None:
    async def tell() -> None:
        over = start(agent)
        async with opened(agent, over) as socket:
            await until(socket, "turn")
            await socket.send('{"type":"end"}')
            await until(socket, "system")
        for call_id, status in (("V0", 404), (start(agent, "text"), 404), (over, 410)):
            with pytest.raises(InvalidStatus) as refused:
                async with opened(agent, call_id):
                    pass
            assert refused.value.response.status_code == status
        agent.site.text_desk = None
        with pytest.raises(InvalidStatus) as refused:
            async with opened(agent, over):
                pass
        assert refused.value.response.status_code == 503

    with talking(tmp_path) as agent:
        story(tell)


def test_a_socket_that_comes_later_takes_the_call_over(tmp_path: Path) -> None:
    async def tell() -> None:
        call_id = start(agent)
        async with opened(agent, call_id) as first:
            await until(first, "turn")
            async with opened(agent, call_id) as second:
                assert await closed(first) == (1008, "another line took this call over")
                (turn,) = await until(second, "turn")
                assert turn["ended"] is False

    with talking(tmp_path) as agent:
        story(tell)


def test_a_call_by_voice_takes_no_turns_by_text(tmp_path: Path) -> None:
    with talking(tmp_path) as agent:
        answer = api(agent, "POST", f"/sales/calls/{start(agent)}/turns", json={"text": "hello"})
        assert answer.status_code == 409
        assert "websocket" in answer.json()["error"]
