"""Outcomes reach the owner's webhook, signed, whatever the webhook does."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from telephony_agent.live.outcome_sender import BATCH, POLL_S, SIGNATURE_HEADER, TIMEOUT_S, OutcomeSender, signature
from telephony_agent.store import NewCall, Outcome, Store
from telephony_agent.store.deliveries import FIRST_DELAY, LEASE

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
SECRET = "a secret of the tests"
URL = "https://crm.example/hook"
Endpoint = Callable[[Request], Awaitable[Response]]


class Done(Exception):
    """A test has seen enough."""


class Webhook:
    """An owner's webhook that answers as a test wants."""

    def __init__(self, answer: Endpoint | None = None) -> None:
        self.answer = answer
        self.taken: list[tuple[str, bytes]] = []
        self.app = Starlette(routes=[Route("/hook", self.post, methods=["POST"])])

    async def post(self, request: Request) -> Response:
        self.taken.append((request.headers[SIGNATURE_HEADER], await request.body()))
        return await self.answer(request) if self.answer is not None else Response(status_code=204)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store(tmp_path, delivers=True) as opened:
        yield opened


async def ended_call(store: Store, call_id: str = "CA1") -> None:
    await store.calls.begin(NewCall(call_id, "inbound", NOW, number="+15005550006"))
    await store.calls.finish(call_id, Outcome("callback", "answered", NOW, summary="Zoë wants a call."))


def sender(store: Store, webhook: Webhook, *, now: datetime = NOW, timeout_s: float = TIMEOUT_S) -> OutcomeSender:
    client = httpx.AsyncClient(transport=httpx.ASGITransport(webhook.app))
    return OutcomeSender(store.deliveries, URL, SECRET, client, timeout_s=timeout_s, clock=lambda: now)


async def test_an_outcome_that_is_taken_is_sent_once(store: Store) -> None:
    await ended_call(store)
    webhook = Webhook()
    assert await sender(store, webhook).deliver_due() == 1
    assert await sender(store, webhook).deliver_due() == 0
    ((_, body),) = webhook.taken
    told = json.loads(body)
    assert (told["call_id"], told["disposition"], told["summary"]) == ("CA1", "callback", "Zoë wants a call.")
    assert await store.deliveries.pending() == 0


async def test_the_receiver_can_tell_that_it_was_us_and_when(store: Store) -> None:
    await ended_call(store)
    webhook = Webhook()
    await sender(store, webhook).deliver_due()
    ((header, body),) = webhook.taken
    told = dict(part.split("=", 1) for part in header.split(","))
    assert int(told["t"]) == NOW.timestamp()
    assert told["v1"] == hmac.new(SECRET.encode(), told["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert signature("another secret", NOW, body) != header
    assert signature(SECRET, NOW + timedelta(seconds=1), body) != header


async def refuse(request: Request) -> Response:
    return Response(status_code=503)


async def redirect(request: Request) -> Response:
    return RedirectResponse("https://elsewhere.example/hook")


async def hang(request: Request) -> Response:
    await asyncio.Event().wait()
    raise AssertionError("events that nobody sets don't happen")


async def vanish(request: Request) -> Response:
    raise httpx.ReadError("the line broke")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refuse, "503 Service Unavailable"),
        (redirect, "307 Temporary Redirect"),
        (hang, "no answer within 0.05 s"),
        (vanish, "ReadError: the line broke"),
    ],
)
async def test_an_outcome_that_is_not_taken_is_sent_again_later(store: Store, answer: Endpoint, error: str) -> None:
    await ended_call(store)
    webhook = Webhook(answer)
    assert await sender(store, webhook, timeout_s=0.05).deliver_due() == 1
    assert await sender(store, webhook).deliver_due() == 0, "not yet due"
    due = await store.deliveries.next_due()
    assert due == NOW + FIRST_DELAY
    webhook.answer = None
    assert await sender(store, webhook, now=due).deliver_due() == 1
    assert await store.deliveries.pending() == 0
    assert len({body for _, body in webhook.taken}) == 1
    assert len(webhook.taken) == 2


async def test_why_it_was_not_taken_is_kept(store: Store) -> None:
    await ended_call(store)
    await sender(store, Webhook(refuse)).deliver_due()
    (delivery,) = await store.deliveries.claim(NOW + FIRST_DELAY)
    assert (delivery.attempts, delivery.last_error) == (1, "503 Service Unavailable")


async def test_an_outcome_whose_person_is_forgotten_meanwhile_is_not_sent_again(store: Store) -> None:
    async def forget(request: Request) -> Response:
        await store.retention.forget("+15005550006", NOW)
        return Response(status_code=500)

    await ended_call(store)
    assert await sender(store, Webhook(forget)).deliver_due() == 1
    assert await store.deliveries.next_due() is None


async def test_an_answer_that_never_ends_is_not_read(store: Store) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
        await reader.read()
        writer.close()

    await ended_call(store)
    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    async with server, httpx.AsyncClient(trust_env=False) as client:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
        assert await OutcomeSender(store.deliveries, url, SECRET, client, clock=lambda: NOW).deliver_due() == 1
    assert await store.deliveries.pending() == 0


async def test_it_sends_what_comes_as_long_as_it_runs(store: Store) -> None:
    webhook = Webhook()
    waits: list[float] = []

    async def a_call_meanwhile(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise Done
        await ended_call(store, f"CA{len(waits)}")

    for number in range(10, 10 + 2 * BATCH):
        await ended_call(store, f"CA{number}")
    client = httpx.AsyncClient(transport=httpx.ASGITransport(webhook.app))
    with pytest.raises(Done):
        await OutcomeSender(store.deliveries, URL, SECRET, client, clock=lambda: NOW, sleep=a_call_meanwhile).run()
    assert len({json.loads(body)["call_id"] for _, body in webhook.taken}) == 2 * BATCH + 2
    assert waits == [POLL_S] * 3


async def test_a_database_that_does_not_answer_does_not_end_it(tmp_path: Path) -> None:
    waits: list[float] = []

    async def mend(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            raise Done
        await store.open()
        await ended_call(store)

    webhook = Webhook()
    # Where the database shall be, there is only a folder yet.
    store = Store(tmp_path / "later", delivers=True)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(webhook.app))
    with pytest.raises(Done):
        await OutcomeSender(store.deliveries, URL, SECRET, client, clock=lambda: NOW, sleep=mend).run()
    assert len(webhook.taken) == 1
    await store.close()


def test_a_batch_has_timed_out_before_anybody_else_may_take_it() -> None:
    assert timedelta(seconds=BATCH * TIMEOUT_S) < LEASE
