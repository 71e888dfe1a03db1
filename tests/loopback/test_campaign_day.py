"""A campaign of many leads in three zones, with rejects and timeouts, whose server is killed twice.

By default it has 40 leads. ``AGENT_TEST_CAMPAIGN=200`` makes it as long as the project promises, with orders to the
carrier that are lost besides.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from telephony_agent.simulator.call_record import CallStatus
from tests.loopback.campaign_day import EVERY, LISTED, ONCE, Day, day, expected, number_of, people

pytestmark = pytest.mark.long

LEADS = int(os.environ.get("AGENT_TEST_CAMPAIGN", "40"))
WITHIN_S = 60 + LEADS
THE_CARRIERS_WORD = {
    CallStatus.BUSY: ("busy",),
    CallStatus.NO_ANSWER: ("no_answer",),
    CallStatus.FAILED: ("failed",),
    CallStatus.CANCELED: ("no_answer",),
    CallStatus.COMPLETED: ("answered", "abandoned"),
}
"""What a lead may be told to have come to whose server died, by what the carrier knows."""
NEVER_CALLED = ("outside_hours", "do_not_call", "no_consent")


def test_every_lead_comes_to_its_one_right_end_though_the_server_dies_twice(tmp_path: Path) -> None:
    asyncio.run(story(tmp_path))


async def story(folder: Path) -> None:
    async with asyncio.timeout(WITHIN_S), day(folder, LEADS, lost=LEADS >= 200) as today:
        for person in range(LISTED, LEADS, EVERY):
            await today.asks("POST", "/do-not-call", json={"number": number_of(person)})
        body = {"name": "day", "csv": people(LEADS), "pace": 8, "at_once": 8, "retry": ONCE}
        campaign_id = (await today.asks("POST", "/campaigns", json=body))["id"]
        called = sum(expected(person) not in NEVER_CALLED for person in range(LEADS))
        for share in (1 / 3, 2 / 3):
            await calls_made(today, campaign_id, round(share * called))
            await today.dies_and_comes_back()
        await nobody_is_called_any_more(today, campaign_id)
        for person, lead in enumerate(await today.leads(campaign_id)):
            look_at(today, person, lead)
        outcomes = await today.asks("GET", "/calls", params={"limit": 500})
        dispositions = Counter(call["number"] for call in outcomes["calls"] if call["disposition"])
        assert max(dispositions.values()) == 1
        assert len(dispositions) == len(outcomes["calls"])


def look_at(today: Day, person: int, lead: dict[str, Any]) -> None:
    """Check how one lead ended against what the carrier has seen of it."""
    right, made = expected(person), today.calls_to(number_of(person))
    assert lead["phone"] == number_of(person)
    if right in NEVER_CALLED:
        assert made == [], lead
        assert lead["reason"] == right, lead
        assert lead["state"] == ("waiting" if right == "outside_hours" else "refused"), lead
        return
    assert lead["state"] == "done", lead
    assert lead["attempts"] == 1, lead
    assert len(made) <= 1, lead
    assert lead["disposition"], lead
    if not made:
        # The server died before the carrier had its order, or the order was lost on the way.
        assert lead["line_result"] == "failed", lead
    elif today.cut_short(made[0]):
        assert lead["line_result"] in THE_CARRIERS_WORD[made[0].status], lead
    else:
        assert lead["line_result"] == right, lead


async def calls_made(today: Day, campaign_id: int, count: int) -> None:
    """Wait until the carrier has made so many calls."""
    while True:
        if len(today.exchange.records) >= count:
            return
        await how_it_goes(today, campaign_id)
        await asyncio.sleep(0.02)


async def nobody_is_called_any_more(today: Day, campaign_id: int) -> None:
    """Wait until only those wait in whose zone it is night."""
    night = sum(expected(person) == "outside_hours" for person in range(LEADS))
    while True:
        progress = (await how_it_goes(today, campaign_id))["progress"]
        if progress["waiting"] == night and not progress["dialling"] + progress["talking"]:
            return
        await asyncio.sleep(0.3)


async def how_it_goes(today: Day, campaign_id: int) -> dict[str, Any]:
    """Look at a campaign. Who answers as the server dies is abandoned; if it is held for that, let it go on."""
    told: dict[str, Any] = await today.asks("GET", f"/campaigns/{campaign_id}")
    if told["state"] == "held":
        await today.asks("POST", f"/campaigns/{campaign_id}/resume")
    return told
