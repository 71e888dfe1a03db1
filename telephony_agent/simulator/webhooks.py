"""Twilio's HTTP side: posts signed forms, and says what it makes of the answers."""

from __future__ import annotations

import asyncio
import random
import secrets
import uuid
from dataclasses import dataclass
from typing import Final

import httpx

from telephony_agent.simulator.connection_override import override_of
from telephony_agent.simulator.debugger import Code, Notice
from telephony_agent.simulator.faults import Behaviour, CallbackFault, SignatureFault
from telephony_agent.simulator.parties import Parties
from telephony_agent.simulator.signing import Form, sign, signed_url
from telephony_agent.simulator.tunnel import Tunnel
from telephony_agent.simulator.twiml import TwimlError

EVENTS: Final = frozenset({"initiated", "ringing", "answered", "completed"})
"""What one can subscribe to of a call's progress."""

_EVENT_OF: Final = {"initiated": "initiated", "ringing": "ringing", "in-progress": "answered"}
_XML_TYPES: Final = ("text/xml", "application/xml")
_LATEST_S: Final = 0.3
_DOUBLED_SHARE: Final = 0.25


class _Unanswered(TwimlError):
    """A try that brought no answer; ``kind`` is ``ct`` or ``rt``, as in the fragment."""

    def __init__(self, notice: Notice, kind: str) -> None:
        super().__init__(notice)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Posted:
    """One request that was made and its answer; ``status`` is 0 when there was none."""

    url: str
    form: Form
    status: int
    body: str = ""


class Webhooks:
    """Posts signed forms to one agent; ``posted`` keeps them all. Close it after the call.

    A request is tried again as its URL's fragment says, under one idempotency token; by default once, when there was no
    connection. ``client`` may be shared by many calls; then it is not closed here.
    """

    def __init__(
        self, tunnel: Tunnel, auth_token: str, behaviour: Behaviour, client: httpx.AsyncClient | None = None
    ) -> None:
        self._tunnel = tunnel
        self._auth_token = auth_token
        self._faults = behaviour.faults
        self._limit_s = behaviour.pace.webhook_timeout_s
        self._client = client or httpx.AsyncClient(trust_env=False)
        self._owns_client = client is None
        self.posted: list[Posted] = []

    async def close(self) -> None:
        """Close the connections."""
        if self._owns_client:
            await self._client.aclose()

    async def document(self, url: str, form: Form, *, method: str = "POST") -> str:
        """Ask for TwiML.

        Raises:
            TwimlError: no answer, an error status, or not XML by its type.
        """
        token = str(uuid.uuid4())
        response = await self._request(url, form, method, token)
        if self._faults.double_webhook:
            response = await self._request(url, form, method, token)
        if not response.is_success:
            raise TwimlError(Notice(Code.RETRIEVAL_FAILURE, f"{url} answered {response.status_code}"))
        kind = response.headers.get("content-type", "").partition(";")[0].strip()
        if kind not in _XML_TYPES:
            raise TwimlError(Notice(Code.CONTENT_TYPE, f"{url} answered with {kind or 'no type'}"))
        return response.text

    async def notify(self, url: str, form: Form, *, method: str = "POST") -> Notice | None:
        """Post a callback, whose answer Twilio ignores; what went wrong is returned, not raised."""
        try:
            response = await self._request(url, form, method, str(uuid.uuid4()))
        except TwimlError as error:
            return error.notice
        if response.is_success:
            return None
        return Notice(Code.RETRIEVAL_FAILURE, f"{url} answered {response.status_code}")

    async def _request(self, url: str, form: Form, method: str, token: str) -> httpx.Response:
        """Ask, and ask again where the URL wants that.

        Raises:
            TwimlError: no answer, at the last try or within the time that all tries have.
        """
        override = override_of(url)
        total_s = min(override.total_ms / 1000, self._limit_s)
        try:
            async with asyncio.timeout(total_s):
                for retries_left in range(override.retries, -1, -1):
                    try:
                        response = await self._attempt(url, form, method, token)
                    except _Unanswered as error:
                        if not retries_left or error.kind not in override.retry_on:
                            raise
                    else:
                        if not retries_left or not override.retries_after(response.status_code):
                            return response
            raise AssertionError("the last try returns or raises")
        except TimeoutError as error:
            self.posted.append(Posted(url, form, 0))
            raise TwimlError(Notice(Code.RETRIEVAL_FAILURE, f"{url}: no answer within {total_s:g} s")) from error

    async def _attempt(self, url: str, form: Form, method: str, token: str) -> httpx.Response:
        if method == "GET":
            url, form = str(httpx.URL(url).copy_merge_params(list(form))), ()
        target, host = self._tunnel.http(url)
        headers = {
            "Host": host,
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
            "I-Twilio-Idempotency-Token": token,
            **self._signature(url, form),
        }
        content = str(httpx.QueryParams(list(form))) if method == "POST" else None
        if content is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
        override = override_of(url)
        timeout = httpx.Timeout(override.read_ms / 1000, connect=override.connect_ms / 1000)
        try:
            response = await self._client.request(method, target, content=content, headers=headers, timeout=timeout)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            self.posted.append(Posted(url, form, 0))
            raise _Unanswered(Notice(Code.CONNECTION_FAILURE, f"{url}: {error}"), "ct") from error
        except httpx.HTTPError as error:
            self.posted.append(Posted(url, form, 0))
            raise _Unanswered(Notice(Code.RETRIEVAL_FAILURE, f"{url}: {error!r}"), "rt") from error
        self.posted.append(Posted(url, form, response.status_code, response.text))
        return response

    def _signature(self, url: str, form: Form) -> dict[str, str]:
        fault = self._faults.webhook_signature
        if fault is SignatureFault.MISSING:
            return {}
        token = self._auth_token if fault is SignatureFault.NONE else secrets.token_hex(16)
        return {"X-Twilio-Signature": sign(signed_url(url), form, token)}


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where a call reports its progress to, and which ``EVENTS`` of it.

    Nothing is reported to an empty ``url``.
    """

    url: str
    events: frozenset[str] = EVENTS
    method: str = "POST"


class StatusCallbacks:
    """Posts the progress of a call in the background, in order unless a fault says otherwise.

    ``notices`` holds what went wrong, after ``finish``.
    """

    def __init__(
        self, webhooks: Webhooks, subscription: Subscription, parties: Parties, fault: CallbackFault, *, seed: int = 1
    ) -> None:
        self._webhooks = webhooks
        self.subscription = subscription
        self._parties = parties
        self._fault = fault
        self._rng = random.Random(seed)  # noqa: S311 - draws a test's disorder
        self._sequence = 0
        self._queue: asyncio.Queue[Form | None] = asyncio.Queue()
        self._held: list[Form] = []
        self._late: set[asyncio.Task[None]] = set()
        self._poster = asyncio.create_task(self._post())
        self.notices: list[Notice] = []

    def report(self, status: str, talked_s: float | None = None, *, sip_response: int = 200) -> None:
        """Queue one callback, if anybody subscribed to it; ``talked_s`` belongs to the last one."""
        event = _EVENT_OF.get(status, "completed")
        if not self.subscription.url or event not in self.subscription.events:
            return
        form = self._parties.status_form(status, self._sequence, talked_s, sip_response=sip_response)
        self._sequence += 1
        match self._fault:
            case CallbackFault.REVERSED:
                self._held.insert(0, form)
            case CallbackFault.SHUFFLED:
                for _ in range(2 if self._rng.random() < _DOUBLED_SHARE else 1):
                    self._post_late(form, self._rng.uniform(0, _LATEST_S))
            case CallbackFault.DOUBLED:
                self._queue.put_nowait(form)
                self._queue.put_nowait(form)
            case CallbackFault.NONE:
                self._queue.put_nowait(form)

    async def finish(self) -> None:
        """Post what is left, and stop."""
        await asyncio.gather(*self._late)
        for form in (*self._held, None):
            self._queue.put_nowait(form)
        await self._poster

    async def cancel(self) -> None:
        """Stop at once."""
        tasks = (self._poster, *self._late)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _post_late(self, form: Form, delay_s: float) -> None:
        async def post() -> None:
            await asyncio.sleep(delay_s)
            await self._notify(form)

        task = asyncio.create_task(post())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _post(self) -> None:
        while (form := await self._queue.get()) is not None:
            await self._notify(form)

    async def _notify(self, form: Form) -> None:
        notice = await self._webhooks.notify(self.subscription.url, form, method=self.subscription.method)
        if notice is not None:
            self.notices.append(notice)
