"""What a server does beside its calls as long as it runs: tells outcomes to the webhook, deletes what is too old."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import httpx
from loguru import logger

from telephony_agent.live.outcome_sender import OutcomeSender
from telephony_agent.live.retention_timer import keep_retention
from telephony_agent.settings import OutcomeSettings, StoreSettings
from telephony_agent.store import RetentionPolicy, Store


class Chores:
    """The chores that the settings ask for, a task each. One that fails is logged; calls don't notice."""

    def __init__(self, store: Store, outcome: OutcomeSettings, kept: StoreSettings) -> None:
        self._store = store
        self._outcome = outcome
        self._policy = RetentionPolicy(
            recordings_days=kept.keep_recordings_days,
            transcripts_days=kept.keep_transcripts_days,
            calls_days=kept.keep_calls_days,
            leads_days=kept.keep_leads_days,
        )
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin; the store must be open."""
        if self._outcome.webhook.get_secret_value():
            self._begin("outcome-sender", self._send_outcomes())
        if self._policy != RetentionPolicy():
            self._begin("retention", keep_retention(self._store.retention, self._policy))

    async def close(self) -> None:
        """Stop; call before the store is closed. What is half done is done again after the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _send_outcomes(self) -> None:
        url, secret = self._outcome.webhook.get_secret_value(), self._outcome.secret.get_secret_value()
        async with httpx.AsyncClient() as client:
            await OutcomeSender(self._store.deliveries, url, secret, client).run()

    def _begin(self, name: str, chore: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(chore, name=name)
        task.add_done_callback(_tell_failure)
        self._tasks.append(task)


def _tell_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.opt(exception=error).bind(chore=task.get_name()).error("A chore failed and won't be done any more")
