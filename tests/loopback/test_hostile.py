"""Traffic that is broken on purpose, on the real server: it costs its sender the stream, and a neighbour nothing."""

from __future__ import annotations

import asyncio
import base64
import gzip
import os
import re
import socket
import struct
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Route
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from telephony_agent.core.call_terms import CallRules
from telephony_agent.engines.scripted import ScriptedResponder, ScriptedSynthesizer, ScriptedTranscriber
from telephony_agent.live.engine_room import Deadlines, speak
from telephony_agent.simulator.signing import sign
from telephony_agent.web import bounded_http, media
from telephony_agent.web.app import create_app
from tests.hostile import refused, tolerated
from tests.loopback.agent import API_TOKEN, AUTH_TOKEN, PUBLIC_URL, Agent, Parts, running
from tests.loopback.client import MEDIA_URL, PATIENCE_S, STREAM_SID, call_sid, calling, post, wait_for
from tests.loopback.test_faults import SHORT, census

pytestmark = pytest.mark.long

FRESH = count(5000)
REPLY = "I see what you mean by that."
MS_PER_CHARACTER = 15
SEED = 5
STREAMS, MESSAGES_EACH = 4, 2000
REFUSED = 60
HALF_OPEN = 500
AUTHORIZED = {"Authorization": f"Bearer {API_TOKEN}"}


UNHURRIED = CallRules(filler_after_s=60.0, reprompt_after_s=60.0)
"""However busy the machine is, the neighbour hears the same words."""


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    parts = Parts(
        ScriptedTranscriber(otherwise="hello there"),
        ScriptedResponder(otherwise=REPLY),
        ScriptedSynthesizer(ms_per_character=MS_PER_CHARACTER),
        deadlines=Deadlines(60.0, 60.0, 60.0),
        rules=UNHURRIED,
        playbook=SHORT,
        max_calls=0,
    )
    with running(parts) as agent:
        yield agent


class Tape(deque[dict[str, Any]]):
    """A telephone's unplayed messages, which also keeps all that came."""

    def __init__(self) -> None:
        super().__init__()
        self.audio = bytearray()
        self.clears = 0

    def append(self, message: dict[str, Any]) -> None:
        super().append(message)
        if message["event"] == "media":
            self.audio += base64.b64decode(message["media"]["payload"])
        self.clears += message["event"] == "clear"


@dataclass(frozen=True, slots=True)
class Told:
    """What a call was: the words of both sides, and every byte that was heard."""

    words: tuple[tuple[str, str], ...]
    audio: bytes
    clears: int


async def neighbour(agent: Agent, going_on: asyncio.Event) -> Told:
    """Hold a call of two turns at least, and of as many as it takes until what goes on beside it is over."""
    sid = call_sid(next(FRESH))
    tape = Tape()
    async with calling(agent, sid) as client:
        client.unplayed = tape
        await client.hears()
        for turn in count(1):
            await client.says()
            await client.hears()
            if turn >= 2 and not going_on.is_set():
                break
        await client.stop()
        await client.closed()
    turns = (await asyncio.to_thread(agent.account, sid))["turns"]
    return Told(tuple((turn["transcript"], turn["reply_heard"]) for turn in turns), bytes(tape.audio), tape.clears)


async def beside_a_neighbour(agent: Agent, hostilities: Awaitable[None]) -> None:
    """Let hostilities happen while a call goes on, and see that it heard and was heard whole."""
    going_on = asyncio.Event()
    going_on.set()
    call = asyncio.create_task(neighbour(agent, going_on))
    try:
        await hostilities
    finally:
        going_on.clear()
        told = await call
    turns = len(told.words)
    greeting, reply = (spoken(text) for text in (SHORT.greeting, REPLY))
    assert told == Told((("hello there", REPLY),) * turns, greeting + reply * turns, 0)


def spoken(text: str) -> bytes:
    """Return what a phrase sounds like, on the wire."""
    return speak(ScriptedSynthesizer(ms_per_character=MS_PER_CHARACTER), text, lambda: False)


def hang_up(agent: Agent, sid: str) -> None:
    """Let the carrier say that a call is over, as it does for every call, whatever became of its stream."""
    assert post(agent, "/twilio/status", {"CallSid": sid, "CallStatus": "completed", "SequenceNumber": "99"}).is_success


def all_over(agent: Agent, sids: Iterable[str]) -> None:
    """See that no call and no stream is left."""
    for sid in sids:
        wait_for(lambda sid=sid: agent.account(sid)["state"] == "ended")
    wait_for(lambda: agent.site.metrics.registry.get_sample_value("telephony_agent_calls_live") == 0)


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


# Requests


def test_no_request_to_any_route_is_answered_with_a_fault(remembering: Agent) -> None:
    routes = [route for route in create_app(remembering.site).routes if isinstance(route, Route)]
    assert len(routes) > 20
    methods: dict[str, set[str]] = {}
    for route in routes:
        methods.setdefault(route.path, set()).update(route.methods or ())
    faults = []
    with httpx.Client(base_url=remembering.url, trust_env=False, timeout=PATIENCE_S, headers=AUTHORIZED) as client:
        for route in routes:
            for request in odd_requests(client, route):
                answer = client.send(request)
                if answer.status_code == 500 or (request.method not in methods[route.path] and answer.is_success):
                    faults.append((request.method, str(request.url)[:200], answer.status_code))
    assert faults == []


@pytest.fixture(scope="module")
def remembering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with running(Parts(data_dir=tmp_path_factory.mktemp("data"), max_calls=0)) as agent:
        yield agent


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
CONTENT_TYPES = ("", "text/csv", "multipart/form-data", "application/xml", "application/json; charset=utf-16", "\xff")
BODIES = (
    b"",
    b"\x00",
    b"\xff\xfe",
    b"{}",
    b"[" * 50_000,
    b'{"lead": {"name": "\\ud800", "phone": "+15005550006"}, "channel": "text"}',
    b'{"text": 5, "number": "\\u0000", "lead_id": 1e400}',
    b"phone,name\n" + b'"' * 1000,
    b"x" * 70_000,
)
SEGMENTS = ("x", "0", "9" * 3000, "%00", "%ff", "%F0%9F%98%80", "..%2f..%2fetc", "CA" + "0" * 32)
QUERIES = (
    "",
    "limit=9999999999999999999999",
    "limit=-1&cursor=%00&since=%ff",
    "x=" + "y" * 3500,
    "&".join("a=1" for _ in range(900)),
)


def odd_requests(client: httpx.Client, route: Route) -> Iterator[httpx.Request]:
    """Yield requests to a route with each method, body, type, query and path that is odd."""
    paths = [re.sub(r"\{[^}]*\}", segment, route.path) for segment in SEGMENTS]
    usual = paths[0]
    for method in METHODS:
        yield client.build_request(method, usual)
    for method in sorted(route.methods or ()):
        for path in dict.fromkeys(paths):
            yield client.build_request(method, path)
        for query in QUERIES:
            yield client.build_request(method, f"{usual}?{query}")
        if method in ("POST", "PUT"):
            for body, kind in zip(BODIES, cycle(CONTENT_TYPES), strict=False):
                yield client.build_request(
                    method, usual, content=body, headers={b"Content-Type": kind.encode("latin-1")}
                )


FORMS: tuple[dict[str, str], ...] = (
    {},
    {"CallSid": ""},
    {"CallSid": "x" * 10_000},
    {"CallSid": "\x00\ufffd", "From": "\x00", "To": "😀", "Direction": "sideways"},
    {"CallSid": call_sid(), "CallStatus": "completed", "SequenceNumber": "9" * 5000},
    {"CallSid": call_sid(), "CallStatus": "odd", "SequenceNumber": "१"},
    {"CallSid": call_sid(), "DialCallStatus": "odd", "Digits": "9" * 5000},
)


@pytest.mark.parametrize("form", FORMS, ids=range(len(FORMS)))
def test_no_signed_form_is_answered_with_a_fault(remembering: Agent, form: dict[str, str]) -> None:
    paths = [route.path for route in create_app(remembering.site).routes if isinstance(route, Route)]
    webhooks = [path for path in paths if path.startswith("/twilio/")]
    assert len(webhooks) >= 4
    for path in webhooks:
        assert post(remembering, path, form).status_code in (200, 204, 400, 404), path


def raw(agent: Agent, request: bytes) -> bytes:
    """Send bytes; return the first line of the answer."""
    with socket.create_connection(("127.0.0.1", int(agent.url.rsplit(":", 1)[1])), PATIENCE_S) as peer:
        peer.sendall(request)
        return peer.makefile("rb").readline()


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", 431),
        (b"GET /healthz HTTP/1.1\r\n" + b"X: x\r\n" * 20_000, 431),
        (b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 500_000, 431),
        (b"GET /healthz?" + b"x" * 5000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /api/v1/leads/" + b"9" * 5000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"POST /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnot hex\r\n", 400),
        (b"POST /healthz HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET http://[/ HTTP/1.1\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"GET /healthz HTTP/9.9\r\n\r\n", 400),
    ],
)
def test_a_request_that_is_no_request_is_refused(agent: Agent, request_bytes: bytes, status: int) -> None:
    assert raw(agent, request_bytes).split(b" ")[1:2] == [str(status).encode()]
    assert httpx.get(f"{agent.url}/healthz", trust_env=False).status_code == 200


def test_a_body_that_does_not_end_is_cut(agent: Agent) -> None:
    head = b"POST /twilio/voice HTTP/1.1\r\nHost: agent\r\nX-Twilio-Signature: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", int(agent.url.rsplit(":", 1)[1])), PATIENCE_S) as peer:
        peer.sendall(head)
        with suppress(ConnectionError):
            while sent < 2**27:
                peer.sendall(chunk)
                sent += len(chunk)
        assert sent < 2**27, "it was read to its end"
