"""Streams that are broken on purpose, on the real server: it costs their sender the stream, and a neighbour nothing."""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import struct
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from itertools import count, islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from telephony_agent.simulator.signing import sign
from telephony_agent.web import bounded_http, media
from tests.hostile import refused, tolerated
from tests.loopback.agent import AUTH_TOKEN, PUBLIC_URL, Agent
from tests.loopback.client import MEDIA_URL, PATIENCE_S, STREAM_SID, call_sid, calling, wait_for
from tests.loopback.siege import AUTHORIZED, FRESH, all_over, beside_a_neighbour, besieged, hang_up
from tests.loopback.test_faults import census

pytestmark = pytest.mark.long

SEED = 5
STREAMS, MESSAGES_EACH = 4, 2000
REFUSED = 60
HALF_OPEN = 500


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with besieged() as agent:
        yield agent


def test_a_call_with_nothing_beside_it_is_heard_whole(agent: Agent) -> None:
    asyncio.run(beside_a_neighbour(agent, asyncio.sleep(0)))


def test_thousands_of_odd_messages_do_not_end_their_streams_nor_harm_a_neighbour(agent: Agent) -> None:
    sids = [call_sid(next(FRESH)) for _ in range(STREAMS)]

    async def stream(sid: str, seed: int) -> None:
        async with calling(agent, sid) as client:
            for message in islice(tolerated(seed, STREAM_SID), MESSAGES_EACH):
                await client.socket.send(message)
            await client.stop()
            assert (await client.closed())[0] == media.NORMAL

    async def hostilities() -> None:
        await asyncio.gather(*(stream(sid, SEED + number) for number, sid in enumerate(sids)))

    asyncio.run(beside_a_neighbour(agent, hostilities()))
    all_over(agent, sids)


def test_every_broken_message_ends_its_own_stream_with_a_code_and_no_other(agent: Agent) -> None:
    messages = list(islice(refused(SEED, STREAM_SID), REFUSED))
    sids = [call_sid(next(FRESH)) for _ in messages]
    expected = {media.PROTOCOL_ERROR, media.UNSUPPORTED, media.TOO_BIG}

    async def stream(sid: str, message: str | bytes) -> None:
        async with calling(agent, sid) as client:
            await client.socket.send(message)
            code, _ = await client.closed()
        assert code in expected, message[:200]
        await asyncio.to_thread(hang_up, agent, sid)

    async def hostilities() -> None:
        for sid, message in zip(sids, messages, strict=True):
            await stream(sid, message)

    asyncio.run(beside_a_neighbour(agent, hostilities()))
    all_over(agent, sids)


RAW_ENDS: dict[str, tuple[bytes, int | None]] = {
    "a compressed message that nobody agreed on": (struct.pack("!BB4x", 0xC1, 0x80 | 0), 1002),
    "bytes that are not UTF-8": (struct.pack("!BB4x2s", 0x81, 0x80 | 2, b"\xff\xfe"), 1007),
    "a frame of no known kind": (struct.pack("!BB4x", 0x83, 0x80), 1002),
    "a frame that is not masked": (struct.pack("!BB2s", 0x81, 2, b"{}"), 1002),
    "a frame of eight gigabytes": (struct.pack("!BBQ4x", 0x81, 0x80 | 127, 2**33), 1009),
    "a continuation of nothing": (struct.pack("!BB4x", 0x80, 0x80), 1002),
    "a ping of 200 bytes": (struct.pack("!BBH4x200s", 0x89, 0x80 | 126, 200, b""), 1002),
}


@pytest.mark.parametrize("kind", RAW_ENDS)
def test_a_broken_frame_ends_its_stream(agent: Agent, kind: str) -> None:
    frame, code = RAW_ENDS[kind]
    sid = call_sid(next(FRESH))

    async def scenario() -> int:
        async with calling(agent, sid) as client:
            client.socket.transport.write(frame)
            return (await client.closed())[0]

    assert asyncio.run(scenario()) == code
    hang_up(agent, sid)
    all_over(agent, [sid])


def test_a_message_is_never_inflated(agent: Agent) -> None:
    async def offered() -> list[Any]:
        headers = {"X-Twilio-Signature": sign(MEDIA_URL, (), AUTH_TOKEN)}
        url = agent.url.replace("http", "ws", 1) + "/twilio/media"
        async with connect(url, additional_headers=headers, compression="deflate", proxy=None) as socket:
            return list(socket.protocol.extensions)

    assert asyncio.run(offered()) == []
    body = gzip.compress(b" " * 2**26)
    headers = AUTHORIZED | {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    before = resident_bytes()
    answer = httpx.post(
        f"{agent.url}/api/v1/sales/start-call",
        content=body[:60_000],
        headers=headers,
        trust_env=False,
        timeout=PATIENCE_S,
    )
    assert answer.status_code in (422, 503)
    assert resident_bytes() - before < 2**24


def test_a_message_without_end_is_cut(agent: Agent) -> None:
    sid = call_sid(next(FRESH))
    pieces = count()

    async def endless() -> AsyncIterator[str]:
        for _ in pieces:
            yield "x" * 2**17

    async def scenario() -> None:
        async with calling(agent, sid) as client:
            with pytest.raises(ConnectionClosed):
                await client.socket.send(endless())

    asyncio.run(scenario())
    assert next(pieces) * 2**17 < 2**26
    hang_up(agent, sid)
    all_over(agent, [sid])


def test_a_flood_is_cut(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "MESSAGES_AT_ONCE", 100)
    sid = call_sid(next(FRESH))

    async def scenario() -> int:
        async with calling(agent, sid) as client:
            with suppress(ConnectionClosed):
                while True:
                    await client.socket.send('{"event": "odd"}')
                    # Let the answer be read.
                    await asyncio.sleep(0)
            return (await client.closed())[0]

    assert asyncio.run(scenario()) == media.POLICY
    hang_up(agent, sid)
    all_over(agent, [sid])


# Who comes and says nothing


def resident_bytes() -> int:
    """Return the memory of this process, in which the server lives."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def half_open() -> Iterator[bytes]:
    """Yield, without end, what somebody sends who then sends nothing more."""
    headers = f"Host: agent\r\nX-Twilio-Signature: {sign(f'{PUBLIC_URL}/twilio/voice', (), AUTH_TOKEN)}\r\n"
    upgrade = (
        "GET /twilio/media HTTP/1.1\r\nHost: agent\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"X-Twilio-Signature: {sign(MEDIA_URL, (), AUTH_TOKEN)}\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    )
    kinds = (
        b"",
        b"\r\n",
        b"POST /twilio/voice HTTP/1.1\r\nHo",
        f"POST /twilio/voice HTTP/1.1\r\n{headers}".encode(),
        f"POST /twilio/voice HTTP/1.1\r\n{headers}Content-Length: 1000\r\n\r\nCallSid=".encode(),
        f"POST /twilio/voice HTTP/1.1\r\n{headers}Transfer-Encoding: chunked\r\n\r\n5\r\nCall".encode(),
        b"GET /healthz HTTP/1.1\r\nHost: agent\r\n\r\nGET /healthz HTTP/1.1\r\n",
        f"{upgrade}\r\n".encode(),
        f"{upgrade}\r\n".encode() + struct.pack("!BBH4x", 0x81, 0x80 | 126, 60_000) + b"half",
        f"{upgrade}X-Long: {'x' * 9000}\r\n\r\n".encode(),
    )
    while True:
        yield from kinds


async def left_alone(agent: Agent, sent: bytes) -> bytes:
    """Open a connection, send this and nothing more; return what comes until the agent closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(agent.url.rsplit(":", 1)[1]))
    try:
        writer.write(sent)
        async with asyncio.timeout(PATIENCE_S):
            return await _until_closed(reader)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def _until_closed(reader: asyncio.StreamReader) -> bytes:
    """Read until the connection is closed, or a websocket's close frame asks us to do so."""
    read = b""
    while piece := await reader.read(4096):
        read += piece
        if re.search(rb"\r\n\r\n\x88", read):
            break
    return read


def test_hundreds_of_half_open_connections_are_closed_and_a_neighbour_does_not_notice(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_http, "ARRIVAL_DEADLINE_S", 1.0)
    monkeypatch.setattr(media, "START_DEADLINE_S", 1.0)
    before, memory = census(agent), resident_bytes()
    answers: list[bytes] = []

    async def hostilities() -> None:
        answers.extend(await asyncio.gather(*(left_alone(agent, sent) for sent in islice(half_open(), HALF_OPEN))))

    asyncio.run(beside_a_neighbour(agent, hostilities()))
    assert len(answers) == HALF_OPEN
    statuses = Counter(answer[9:12] for answer in answers)
    assert set(statuses) == {b"408", b"200", b"101", b"400"}
    wait_for(lambda: all(now <= then for now, then in zip(census(agent), before, strict=True)), PATIENCE_S)
    assert resident_bytes() - memory < 2**26
