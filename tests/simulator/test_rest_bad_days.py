"""The bad days of the twin's REST API: requests that fail, hang, are cut, or come too often."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest
import requests

from telephony_agent.simulator.rest_faults import FaultDraw, RequestKind, RestFault, RestFaults
from telephony_agent.simulator.twin_settings import Limits, TwinSettings
from tests.simulator.calls import listens, run
from tests.simulator.scripted_agent import PUBLIC, TOKEN
from tests.simulator.twin import (
    BUSY,
    OURS,
    PERSON,
    SETTINGS,
    client_of,
    closing,
    over,
    refused,
    story,
)

URL = f"{PUBLIC}/twilio/voice"


def faulty(kind: RequestKind, *faults: RestFault | None, **changes: Any) -> TwinSettings:
    return replace(SETTINGS, rest_faults=RestFaults(planned={kind: faults}, delay_ms=20, hold_ms=5_000, **changes))


@pytest.mark.parametrize(
    ("fault", "status", "number"),
    [(RestFault.ERROR_500, 500, 20500), (RestFault.ERROR_503, 503, 20503), (RestFault.TOO_MANY, 429, 20429)],
)
def test_a_request_may_be_refused_for_no_reason_of_its_own(fault: RestFault, status: int, number: int) -> None:
    async def tale() -> None:
        async with story(listens, settings=faulty(RequestKind.CREATE_CALL, fault)) as it:
            order = {"to": BUSY, "from_": OURS, "url": URL}
            assert await refused(it, lambda client: client.calls.create(**order)) == (status, number)
            assert not it.exchange.records
            await over(await it.dials(BUSY))

    run(tale())


@pytest.mark.parametrize(
    ("fault", "made"),
    [
        (RestFault.CUT_BEFORE, 0),
        (RestFault.CUT_AFTER, 1),
        (RestFault.TIMEOUT_BEFORE, 0),
        (RestFault.TIMEOUT_AFTER, 1),
        (RestFault.DELAY, 1),
    ],
)
def test_a_request_without_an_answer_may_have_been_carried_out_or_not(fault: RestFault, made: int) -> None:
    async def tale() -> None:
        async with story(listens, settings=faulty(RequestKind.CREATE_CALL, fault)) as it:
            hasty = client_of(it.url, timeout_s=10 if fault is RestFault.DELAY else 0.5)
            try:
                await asyncio.to_thread(lambda: hasty.calls.create(to=BUSY, from_=OURS, url=URL))
                answered = True
            except (requests.ConnectionError, requests.Timeout):
                answered = False
            finally:
                closing(hasty)
            listed = await it.asks(lambda client: client.calls.list(to=BUSY))
        assert answered is (fault is RestFault.DELAY)
        assert len(listed) == made

    run(tale())


def test_a_held_request_is_cut_in_the_end() -> None:
    async def tale() -> None:
        plan = RestFaults(planned={RequestKind.LIST_CALLS: [RestFault.TIMEOUT_BEFORE]}, hold_ms=20)
        async with story(listens, settings=replace(SETTINGS, rest_faults=plan)) as it:
            with pytest.raises(requests.ConnectionError):
                await it.asks(lambda client: client.calls.list())

    run(tale())


def test_more_requests_than_the_limit_are_told_when_to_come_back() -> None:
    async def tale() -> None:
        async with (
            story(listens, settings=replace(SETTINGS, limits=Limits(requests_per_s=1))) as it,
            httpx.AsyncClient(base_url=it.url, trust_env=False, auth=(SETTINGS.account.account_sid, TOKEN)) as client,
        ):
            path = f"/2010-04-01/Accounts/{SETTINGS.account.account_sid}.json"
            answers = await asyncio.gather(*(client.get(path) for _ in range(10)))
        assert sorted(answer.status_code for answer in answers)[-1] == 429
        refusal = next(answer for answer in answers if answer.status_code == 429)
        assert (refusal.json()["code"], refusal.headers["retry-after"]) == (20429, "1")

    run(tale())


def test_more_calls_at_once_than_the_limit_are_refused() -> None:
    async def tale() -> None:
        limits = Limits(calls_per_s=0.1, calls_at_once=1)
        async with story(listens, settings=replace(SETTINGS, limits=limits)) as it:
            await it.dials(PERSON)
            order = {"to": BUSY, "from_": OURS, "url": URL}
            assert await refused(it, lambda client: client.calls.create(**order)) == (429, 10004)

    run(tale())


def test_faults_are_drawn_from_the_seed_whatever_else_is_asked() -> None:
    shares = {RequestKind.CREATE_CALL: {RestFault.ERROR_500: 0.1, RestFault.CUT_AFTER: 0.2}}

    def drawn(seed: int, *, others: int) -> list[RestFault | None]:
        draw = FaultDraw(RestFaults(shares=shares), seed)
        found = []
        for _ in range(400):
            found.append(draw.draw(RequestKind.CREATE_CALL))
            assert [draw.draw(RequestKind.LIST_CALLS) for _ in range(others)] == [None] * others
        return found

    first = drawn(7, others=0)
    assert first == drawn(7, others=3) != drawn(8, others=0)
    assert 20 < first.count(RestFault.ERROR_500) < 70
    assert 50 < first.count(RestFault.CUT_AFTER) < 120
