"""A server that dies in the middle of a campaign, again and again: run as a program, it reports what is left as JSON.

``python -m tests.live.mortal_campaign FOLDER POINTS`` begins a campaign and forks a child for each life of the server,
which does what ``serve`` does: recover, go on. The life ends at some step of it, another one each time: before a
transaction, a statement or a commit, or as a telephone rings. After so many deaths it may live until all is done.
What the town's telephones have seen is told by each child as it happens: that can't be taken back by dying.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loguru import logger

from telephony_agent.store import CampaignState, UnknownRecord
from tests.store.mortal import Death, in_child
from tests.store.virtual_time import VirtualLoop

from .town import ABSENT, BUSY, MAILBOX, START, UNREACHED, Manners, Rung, number_of, office, people, person_of

PEOPLE = 40
ONCE = ("busy:never", "no_answer:never", "failed:never", "voicemail:never")
REFUSED = {5: "do_not_call", 11: "do_not_call", 17: "no_consent"}
MANNERS = {3: BUSY, 7: ABSENT, 13: UNREACHED, 19: MAILBOX, 23: BUSY, 27: UNREACHED}


def manners(person: int, _before: int) -> Manners:
    """Return how somebody is when called."""
    return MANNERS.get(person, Manners(talks_s=20))


def lives(folder: Path, points: int) -> Iterator[dict[str, Any]]:
    """Begin a campaign and die in it; yield what rang, and at last how every lead stands."""
    logger.remove()

    async def begin(report: Any) -> None:
        async with office(folder, manners=manners) as here:
            drafts = people(PEOPLE, zone="America/Los_Angeles")
            drafts[17] = people(PEOPLE, zone="America/Los_Angeles", consent=None)[17]
            for person, reason in REFUSED.items():
                if reason == "do_not_call":
                    await here.store.do_not_call.add(number_of(person), START, "by hand")
            await here.begins(drafts, retry=ONCE, per_s=5)
            report("begun")

    lived, told = in_child(begin, loop=VirtualLoop)
    assert lived
    assert told == ["begun"]
    for point in range(points):
        # Short lives and long ones, each at another step than the one before.
        steps = 1 + (point * 37) % 101
        lived, told = _life(folder, steps)
        yield {"lived": lived, "rung": [json.loads(line) for line in told]}
    lived, told = _life(folder, None)
    assert lived, "nobody ended this life"
    *rung, end = map(json.loads, told)
    yield {"lived": lived, "rung": rung}
    yield end


def _life(folder: Path, steps: int | None) -> tuple[bool, list[str]]:
    async def live(report: Any) -> None:
        death = Death(steps)

        def ring(rung: Rung) -> None:
            report(json.dumps([rung.number, rung.call_id]))
            death.step()

        async with office(folder, manners=manners, on_ring=ring, on_open=death.arm) as here:
            (record,) = (await here.store.campaigns.page()).items
            done = await here.comes_to(record, CampaignState.FINISHED)
            leads = await here.left(record)
            report(json.dumps({"state": done.state, "leads": [await _told(here, leads[one]) for one in sorted(leads)]}))

    return in_child(live, loop=VirtualLoop)


async def _told(here: Any, lead: Any) -> dict[str, Any]:
    call: dict[str, Any] = {}
    try:
        outcome = (await here.store.history.call(lead.call_id or "")).outcome
        call = {"line_result": outcome.line_result, "disposition": outcome.disposition}
    except UnknownRecord:
        assert lead.call_id is None
    return {
        "person": person_of(lead.phone),
        "state": lead.state,
        "reason": lead.reason,
        "line_result": lead.line_result,
        "disposition": lead.disposition,
        "attempts": lead.attempts,
        "call_id": lead.call_id,
        "call": call,
    }


if __name__ == "__main__":
    for found in lives(Path(sys.argv[1]), int(sys.argv[2])):
        print(json.dumps(found))
