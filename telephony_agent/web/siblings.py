"""Several workers behind one port, as one of them sees the others: who has a call, and how a request gets there.

Theory of operation
===================

The workers of a server accept from one socket, so any of them may get any request. A call lives in one worker, its
owner: the one that answered its voice webhook or placed it. Nothing is written down about that. Each worker also
listens on a socket of its own in a private folder, and who gets a request for a call that it doesn't have asks the
others there. What they answer is true at that moment, as nothing in a database would be; a worker that is dead or hangs
doesn't answer, and its calls are unknown, as they would be after a restart.

A request that belongs to another worker is passed on unchanged, signature included, and its answer comes back as it
is. It carries the workers' common secret, which says that it is not to be passed on any further. The media websocket
tells its call too late, in its first message; so its path names the owner. A line ends with the worker that carries it
as well; Twilio asks what follows then, and the owner takes its caller back.

Who gets a request that begins a call gives it to the worker with the fewest calls among those that are ready.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NewType

import httpx
from loguru import logger
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

WorkerIndex = NewType("WorkerIndex", int)

SECRET_HEADER = "x-telephony-agent-sibling"  # noqa: S105 - a header's name
ASK_PATH = "/siblings/ask"
MOST_WORKERS = 64
ASK_S = 4.0
"""How long a worker may take to say whether it has a call. One that is dead refuses at once; one that hangs costs every
webhook of a new call so much of the 15 s that Twilio waits."""
ANSWER_S = 120.0
"""The longest pause in an answer: of a reply that a model is thinking about."""
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "host"}
)


@dataclass(frozen=True, slots=True)
class Worker:
    """Which of a server's workers this process is.

    Attributes:
        index: from 0; the first one also does what is done once a server.
        count: how many there are.
        folder: where their sockets are; nobody else may read it.
        secret: what they know each other by.
    """

    index: WorkerIndex
    count: int
    folder: Path
    secret: str = field(repr=False)

    @property
    def name(self) -> str:
        """What the store knows this worker's calls by: the same over restarts; the first one's is a lone server's."""
        return worker_name(self.index)

    @property
    def is_first(self) -> bool:
        """Whether it does what is done once a server: campaigns, outcomes to the webhook, retention."""
        return self.index == 0

    @property
    def predecessors(self) -> tuple[str, ...]:
        """The names of the workers whose calls fall to this one when it starts."""
        return former_workers(self.count) if self.is_first else ()

    def socket_path(self, index: WorkerIndex) -> str:
        """Return where a worker listens for the others."""
        return str(self.folder / f"{index}.sock")

    def listener(self) -> socket.socket:
        """Open the socket on which the others reach this worker; a dead predecessor's is replaced."""
        path = Path(self.socket_path(self.index))
        path.unlink(missing_ok=True)
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        opened.bind(str(path))
        return opened


def worker_name(index: int) -> str:
    """Return what the store knows the calls of a worker by."""
    return "main" if index == 0 else f"main-{index}"


def former_workers(count: int) -> tuple[str, ...]:
    """Return the names of the workers that a server with so many of them doesn't have, and may have had."""
    return tuple(map(worker_name, range(count, MOST_WORKERS)))


class Standing(BaseModel):
    """What a worker answers when it is asked for a call."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    worker: WorkerIndex
    knows: bool
    """Whether the call is its own."""
    ready: bool
    """Whether it takes calls."""
    calls: int
    """How many places are taken."""


class Siblings:
    """The other workers of this one's server. Lives on the event loop."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._passing: Counter[WorkerIndex] = Counter()
        """How many requests are on their way to each."""
        self._carried = 0
        self._carries_none = asyncio.Event()
        self._carries_none.set()
        # No connection is kept: one that the other worker closes at the same moment would cost a request.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._clients: Mapping[WorkerIndex, httpx.AsyncClient] = {
            index: httpx.AsyncClient(
                transport=httpx.AsyncHTTPTransport(uds=worker.socket_path(index), limits=limits),
                base_url="http://worker",
                timeout=httpx.Timeout(ANSWER_S, connect=ASK_S),
            )
            for index in map(WorkerIndex, range(worker.count))
            if index != worker.index
        }

    async def aclose(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            await client.aclose()

    @contextmanager
    def carrying(self) -> Iterator[None]:
        """Count a websocket that this worker carries to its owner, for the length of a block."""
        self._carried += 1
        self._carries_none.clear()
        try:
            yield
        finally:
            self._carried -= 1
            if not self._carried:
                self._carries_none.set()

    async def drain(self, limit_s: float) -> None:
        """Wait until no websocket is carried: a call of another worker must not end because this one is done."""
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._carries_none.wait()

    def is_sent_by_one(self, headers: Mapping[str, str]) -> bool:
        """Tell whether another worker passed this request on, or asks."""
        return secrets.compare_digest(headers.get(SECRET_HEADER, "").encode(), self.worker.secret.encode())

    async def owner_of(self, call_id: str, ours: Callable[[], Standing], *, begins: bool) -> WorkerIndex | None:
        """Return which other worker a request belongs to; None if it is for this one, or for none.

        Args:
            call_id: a call's id or its CallSid.
            ours: says what this worker would answer now.
            begins: whether the request begins a call, if nobody has that one.
        """
        if ours().knows:
            return None
        asked = await asyncio.gather(*(self._ask(index, call_id) for index in self._clients))
        told = [standing for standing in asked if standing is not None]
        for standing in told:
            if standing.knows:
                return standing.worker
        # Others that came together with this one were placed while we asked: here, or on their way to a sibling.
        here = ours()
        ready = [standing for standing in (here, *told) if standing.ready]
        if not begins or not ready:
            return None
        # The first of equals is this one: what needn't be passed on isn't.
        best = min(ready, key=lambda standing: standing.calls + self._passing[standing.worker])
        return None if best is here else best.worker

    async def pass_on(self, index: WorkerIndex, request: Request, body: bytes) -> Response | None:
        """Let another worker answer a request; None if there is no such worker now."""
        client = self._clients.get(index)
        if client is None:
            return None
        headers = [*_end_to_end(request.headers.raw), (SECRET_HEADER.encode(), self.worker.secret.encode())]
        # The target as it came: httpx would spell it its own way, and the signature covers every character.
        target = {"target": target_of(request.scope)}
        passed = client.build_request(request.method, "/", headers=headers, content=body, extensions=target)
        self._passing[index] += 1
        try:
            answer = await client.send(passed, stream=True)
        except httpx.TransportError as error:
            logger.bind(worker=index, error=repr(error)).warning("A worker could not be reached")
            return None
        finally:
            self._passing[index] -= 1
        response = StreamingResponse(_pieces(answer), status_code=answer.status_code)
        response.raw_headers = _end_to_end(answer.headers.raw)
        return response

    async def _ask(self, index: WorkerIndex, call_id: str) -> Standing | None:
        headers = {SECRET_HEADER: self.worker.secret}
        with suppress(httpx.TransportError, ValidationError, TimeoutError):
            async with asyncio.timeout(ASK_S):
                answer = await self._clients[index].get(ASK_PATH, params={"call": call_id}, headers=headers)
                return Standing.model_validate_json(answer.content)
        return None


def target_of(scope: Mapping[str, object]) -> bytes:
    """Return path and query of a request or an upgrade as they stood in its first line."""
    raw, query = scope.get("raw_path"), scope["query_string"]
    path = raw if isinstance(raw, bytes) else str(scope["path"]).encode()
    path = path.split(b"?", 1)[0]
    return path + b"?" + query if isinstance(query, bytes) and query else path


def _end_to_end(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Leave out what is between two neighbours only, and what a stranger might say of himself."""
    left_out = _HOP_BY_HOP | {SECRET_HEADER}
    return [(name.lower(), value) for name, value in headers if name.decode("latin-1").lower() not in left_out]


async def _pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.aiter_raw():
            yield piece
    finally:
        await answer.aclose()
