"""What is too old is deleted while the server runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from telephony_agent.live.retention_timer import EVERY_S, keep_retention
from telephony_agent.store import NewCall, Outcome, RetentionPolicy, Store

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


class Done(Exception):
    """A test has seen enough."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_calls_go_when_they_are_too_old_and_not_before(tmp_path: Path) -> None:
    moments = iter([NOW + timedelta(days=1), NOW + timedelta(days=3)])
    left: list[int] = []

    async with Store(tmp_path) as store:
        await store.calls.begin(NewCall("CA1", "inbound", NOW))
        await store.calls.finish("CA1", Outcome("hung_up", "answered", NOW))

        async def look(seconds: float) -> None:
            assert seconds == EVERY_S
            left.append(len((await store.history.page()).items))
            if len(left) == 2:
                raise Done

        with pytest.raises(Done):
            await keep_retention(
                store.retention, RetentionPolicy(calls_days=2), clock=lambda: next(moments), sleep=look
            )
    assert left == [1, 0]


async def test_a_database_that_does_not_answer_is_tried_again(tmp_path: Path) -> None:
    waits: list[float] = []
    store = Store(tmp_path / "nowhere")

    async def count(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            raise Done

    with pytest.raises(Done):
        await keep_retention(store.retention, RetentionPolicy(calls_days=2), sleep=count)
    assert len(waits) == 2
    await store.close()
