"""The twin as a server: the REST API, its own pages, and connections that it can cut."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from telephony_agent.simulator.events import Event
from telephony_agent.simulator.exchange import Exchange
from telephony_agent.simulator.phone_call import CallListener
from telephony_agent.simulator.rest_app import ABORT, RestApi
from telephony_agent.simulator.speech import Speaker
from telephony_agent.simulator.twin_pages import TwinPages
from telephony_agent.simulator.twin_settings import TwinSettings


@dataclass(frozen=True, slots=True)
class RunningTwin:
    """A twin that listens: its origin for ``AGENT_TWILIO_API_URL`` and ``client.api.base_url``, and its account."""

    url: str
    exchange: Exchange


def twin_app(exchange: Exchange) -> Starlette:
    """Make the twin's application: Twilio's routes, and under ``/`` and ``/twin`` its own."""
    return Starlette(routes=[*RestApi(exchange).routes, *TwinPages(exchange).routes])


def _ignore(call_sid: str, event: Event) -> None:
    """Take what happens, and do nothing."""


@asynccontextmanager
async def running_twin(
    settings: TwinSettings,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    speaker: Speaker | None = None,
    on_event: CallListener = _ignore,
) -> AsyncIterator[RunningTwin]:
    """Serve a twin for the length of a ``with`` block, in this loop.

    Args:
        settings: the account and its world.
        host: where to listen.
        port: where to listen; 0: on a free one.
        speaker: the callees' voice; one is made when the first of them speaks and none is given.
        on_event: called in the event loop with everything that happens in any call; must not block.

    Raises:
        OSError: the port is taken.
    """
    listener = socket.create_server((host, port))
    exchange = Exchange(settings, speaker=speaker, on_event=on_event)
    config = uvicorn.Config(
        twin_app(exchange), http=_CuttableProtocol, log_config=None, lifespan="off", timeout_graceful_shutdown=1
    )
    server = _QuietServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield RunningTwin(f"http://{host}:{listener.getsockname()[1]}", exchange)
    finally:
        await exchange.close()
        server.should_exit = True
        await task
        listener.close()


class _QuietServer(uvicorn.Server):
    """Leaves signals to whoever runs the loop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _CuttableProtocol(H11Protocol):
    """Lets the application cut the connection of a request, as a dying network would."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app = _with_abort(self.app, transport.abort)


def _with_abort(app: Any, abort: Callable[[], None]) -> Any:
    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, ABORT: abort}, receive, send)

    return wrapped
