"""Twilio's HTTP side: posts signed forms, and says what it makes of the answers."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from dataclasses import dataclass

import httpx

from telephony_agent.simulator.debugger import Code, Notice
from telephony_agent.simulator.faults import Behaviour, CallbackFault, SignatureFault
from telephony_agent.simulator.parties import Parties
from telephony_agent.simulator.signing import Form, sign, signed_url
from telephony_agent.simulator.tunnel import Tunnel
from telephony_agent.simulator.twiml import TwimlError

_XML_TYPES = ("text/xml", "application/xml")


@dataclass(frozen=True, slots=True)
class Posted:
    """One request that was made and its answer; ``status`` is 0 when there was none."""

    url: str
    form: Form
    status: int
    body: str = ""


class Webhooks:
    """Posts signed forms to one agent; ``posted`` keeps them all. Close it after the call."""

    def __init__(self, tunnel: Tunnel, auth_token: str, behaviour: Behaviour) -> None:
        self._tunnel = tunnel
        self._auth_token = auth_token
        self._faults = behaviour.faults
        self._client = httpx.AsyncClient(timeout=behaviour.pace.webhook_timeout_s, trust_env=False)
        self.posted: list[Posted] = []

    async def close(self) -> None:
        """Close the connections."""
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

    async def notify(self, url: str, form: Form) -> Notice | None:
        """Post a callback, whose answer Twilio ignores; what went wrong is returned, not raised."""
        try:
            response = await self._request(url, form, "POST", str(uuid.uuid4()))
        except TwimlError as error:
            return error.notice
        if response.is_success:
            return None
        return Notice(Code.RETRIEVAL_FAILURE, f"{url} answered {response.status_code}")

    async def _request(self, url: str, form: Form, method: str, token: str) -> httpx.Response:
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
        try:
            response = await self._client.request(method, target, content=content, headers=headers)
        except httpx.ConnectError as error:
            self.posted.append(Posted(url, form, 0))
            raise TwimlError(Notice(Code.CONNECTION_FAILURE, f"{url}: {error}")) from error
        except httpx.HTTPError as error:
            self.posted.append(Posted(url, form, 0))
            raise TwimlError(Notice(Code.RETRIEVAL_FAILURE, f"{url}: {error!r}")) from error
        self.posted.append(Posted(url, form, response.status_code, response.text))
        return response

    def _signature(self, url: str, form: Form) -> dict[str, str]:
        fault = self._faults.webhook_signature
        if fault is SignatureFault.MISSING:
            return {}
        token = self._auth_token if fault is SignatureFault.NONE else secrets.token_hex(16)
        return {"X-Twilio-Signature": sign(signed_url(url), form, token)}


class StatusCallbacks:
    """Posts the progress of a call in the background, in order unless a fault says otherwise.

    ``notices`` holds what went wrong, after ``finish``.
    """

    def __init__(self, webhooks: Webhooks, url: str, parties: Parties, fault: CallbackFault) -> None:
        self._webhooks = webhooks
        self._url = url
        self._parties = parties
        self._fault = fault
        self._sequence = 0
        self._queue: asyncio.Queue[Form | None] = asyncio.Queue()
        self._held: list[Form] = []
        self._poster = asyncio.create_task(self._post())
        self.notices: list[Notice] = []

    def report(self, status: str, talked_s: float | None = None) -> None:
        """Queue one callback."""
        form = self._parties.status_form(status, self._sequence, talked_s)
        self._sequence += 1
        if self._fault is CallbackFault.REVERSED:
            self._held.insert(0, form)
            return
        for _ in range(2 if self._fault is CallbackFault.DOUBLED else 1):
            self._queue.put_nowait(form)

    async def finish(self) -> None:
        """Post what is left, and stop."""
        for form in (*self._held, None):
            self._queue.put_nowait(form)
        await self._poster

    async def cancel(self) -> None:
        """Stop at once."""
        self._poster.cancel()
        await asyncio.gather(self._poster, return_exceptions=True)

    async def _post(self) -> None:
        while (form := await self._queue.get()) is not None:
            notice = await self._webhooks.notify(self._url, form)
            if notice is not None:
                self.notices.append(notice)
