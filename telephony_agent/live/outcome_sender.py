"""Tells the owner's webhook how each call ended, until it has taken it.

Theory of operation
-------------------
A call's outcome is put on a queue in the database by the transaction that writes it (``store.deliveries``). One task
looks there every few seconds, posts what is due, one after the other, and says of each how it went: an answer of 2xx
takes it off the queue, everything else has it tried again later. It shares nothing with calls but the database, so a
webhook that is slow, gone or hanging costs nobody else anything. Delivery is at least once: the receiver tells a
repetition by ``call_id``.

What is posted is signed. The receiver computes ``HMAC-SHA256(secret, f"{t}.{body}")`` over the bytes as they came,
compares it with ``v1`` of the header ``Telephony-Agent-Signature: t=1772463600,v1=…``, and refuses a ``t`` (Unix
seconds) that is minutes old: somebody else sends it again.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import httpx
from loguru import logger

from telephony_agent.store import Deliveries, Delivery, StoreUnavailable, UnknownRecord
from telephony_agent.store.deliveries import LEASE

SIGNATURE_HEADER = "Telephony-Agent-Signature"
POLL_S = 2.0
TIMEOUT_S = 10.0
BATCH = int(LEASE.total_seconds() / TIMEOUT_S / 2)
"""Outcomes taken at a time: few enough that none is another's again before the last one has timed out."""


def signature(secret: str, at: datetime, body: bytes) -> str:
    """Return the signature header of a body that is sent at a moment."""
    seconds = int(at.timestamp())
    digest = hmac.new(secret.encode(), b"%d.%b" % (seconds, body), hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


class OutcomeSender:
    """Delivers the outcomes of one database to one webhook.

    Args:
        deliveries: the queue.
        url: of the webhook.
        secret: what is posted is signed with.
        client: who posts; the caller closes it. Redirects aren't followed: the webhook is where its owner says.
        timeout_s: how long one try may take in all.
        clock: tells the time (aware).
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        deliveries: Deliveries,
        url: str,
        secret: str,
        client: httpx.AsyncClient,
        *,
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._deliveries = deliveries
        self._url = url
        self._secret = secret
        self._client = client
        self._timeout_s = timeout_s
        self._clock = clock
        self._sleep = sleep

    async def run(self) -> None:
        """Deliver for ever; cancel it to stop. What it is sending then is sent again later."""
        while True:
            try:
                while await self.deliver_due():
                    pass
            except StoreUnavailable as error:
                logger.bind(error=str(error)).warning("The queue of outcomes can't be read for now")
            await self._sleep(POLL_S)

    async def deliver_due(self) -> int:
        """Try the outcomes that have been due longest, once each; return how many those were.

        Raises:
            StoreUnavailable: the database doesn't answer; what isn't noted as delivered is sent again later.
        """
        # Reading first: taking nothing would still be a write, and others would wait for it.
        due = await self._deliveries.next_due()
        if due is None or due > self._clock():
            return 0
        claimed = await self._deliveries.claim(self._clock(), limit=BATCH)
        for delivery in claimed:
            await self._try(delivery)
        return len(claimed)

    async def _try(self, delivery: Delivery) -> None:
        error = await self._post(delivery)
        log = logger.bind(call_id=delivery.call_id, attempts=delivery.attempts + 1)
        if not error:
            await self._deliveries.delivered(delivery.id)
            log.info("An outcome was delivered")
            return
        try:
            again_at = await self._deliveries.failed(delivery.id, self._clock(), error)
        except UnknownRecord:
            # Its person was forgotten meanwhile.
            return
        log.bind(error=error, again_at=again_at.isoformat()).warning("An outcome was not taken")

    async def _post(self, delivery: Delivery) -> str:
        """Post an outcome; return what went wrong, nothing if it was taken."""
        body = json.dumps(delivery.payload, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json",
            SIGNATURE_HEADER: signature(self._secret, self._clock(), body),
        }
        try:
            async with (
                # httpx limits the wait for each byte; an answer that drips for ever must end as well.
                asyncio.timeout(self._timeout_s),
                self._client.stream("POST", self._url, content=body, headers=headers) as answer,
            ):
                # Only the status counts: nobody can make us read an endless body.
                return "" if answer.is_success else f"{answer.status_code} {answer.reason_phrase}".strip()
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return f"{type(error).__name__}: {error}"
