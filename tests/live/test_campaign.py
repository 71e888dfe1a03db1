"""Campaigns at work, in virtual time: whom they ring and when, and how every lead ends."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from telephony_agent.live.campaign_verdict import is_abandoned, verdict_of
from telephony_agent.sales.campaign import CampaignError, RetryRules
from telephony_agent.sales.disposition import Disposition, LineResult
from telephony_agent.store import (
    CallRecord,
    CampaignState,
    LeadState,
    NewCall,
    Outcome,
    Transcript,
    TurnRecord,
    UnknownRecord,
)
from telephony_agent.store.database import FILE_NAME

from .town import (
    ABSENT,
    BERLIN,
    BUSY,
    KEPT_WAITING,
    LOS_ANGELES,
    MAILBOX,
    NEW_YORK,
    START,
    UNREACHED,
    Manners,
    Rung,
    number_of,
    office,
    passes,
    people,
    person_of,
    virtually,
)

FINISHED, HELD, PAUSED, STOPPED = (
    CampaignState.FINISHED,
    CampaignState.HELD,
    CampaignState.PAUSED,
    CampaignState.STOPPED,
)


def local_hour(rung: Rung, zone: str) -> int:
    return rung.at.astimezone(ZoneInfo(zone)).hour


def gaps(rung: list[Rung]) -> list[timedelta]:
    return [later.at - earlier.at for earlier, later in itertools.pairwise(rung)]


def test_everybody_is_called_once_a_second_and_in_their_own_hours(tmp_path: Path) -> None:
    async def story() -> None:
        async with office(tmp_path) as here:
            record = await here.begins(people(30))
            await here.comes_to(record, FINISHED)
            rung = here.town.rung
            assert sorted(person_of(one.number) for one in rung) == list(range(30))
            assert min(gaps(rung)) >= timedelta(seconds=1)
            hours = {local_hour(one, people(30)[person_of(one.number)].zone) for one in rung}
            assert min(hours) >= 8
            assert max(hours) < 21
            assert {one.at - START > timedelta(hours=6) for one in rung if person_of(one.number) % 3 == 2} == {True}
            left = await here.left(record)
            assert {one.state for one in left.values()} == {LeadState.DONE}
            assert {one.disposition for one in left.values()} == {"not_interested"}

    virtually(story)


def test_while_its_hours_are_closed_a_lead_waits_and_says_so(tmp_path: Path) -> None:
    async def story() -> None:
        async with office(tmp_path) as here:
            record = await here.begins(people(1, zone=BERLIN))
            await passes(60)
            (waits,) = (await here.left(record)).values()
            assert (waits.state, waits.reason) == (LeadState.WAITING, "outside_hours")
            assert waits.next_at is not None
            assert waits.next_at.isoformat() == "2026-03-03T07:00:00+00:00"
            assert here.town.rung == []

    virtually(story)


def test_who_is_not_reached_is_called_again_as_the_rules_say(tmp_path: Path) -> None:
    manners = {0: BUSY, 1: ABSENT, 2: UNREACHED, 3: MAILBOX}

    async def story() -> None:
        async with office(tmp_path, manners=lambda person, _: manners[person]) as here:
            record = await here.begins(people(4, zone=LOS_ANGELES), retry=["no_answer:1h:1"])
            await here.comes_to(record, FINISHED, within_h=24 * 4)
            calls = Counter(person_of(one.number) for one in here.town.rung)
            # Three a day are allowed, so the fourth to the busy one comes on the next.
            assert calls == {0: 4, 1: 2, 2: 2, 3: 2}
            left = await here.left(record)
            assert [left[one].line_result for one in range(4)] == ["busy", "no_answer", "failed", "voicemail"]
            busy = [one.at.astimezone(ZoneInfo(LOS_ANGELES)) for one in here.town.rung if one.number == number_of(0)]
            assert busy[1] - busy[0] == timedelta(minutes=15, seconds=1)
            assert busy[3].date() > busy[2].date()

    virtually(story)


def test_who_was_reached_at_last_is_done(tmp_path: Path) -> None:
    async def story() -> None:
        async with office(tmp_path, manners=lambda _, before: Manners() if before else BUSY) as here:
            record = await here.begins(people(2, zone=NEW_YORK))
            await here.comes_to(record, FINISHED)
            left = await here.left(record)
            assert [left[one].results for one in (0, 1)] == [{"busy": 1, "answered": 1}] * 2

    virtually(story)


def test_whom_the_law_refuses_is_refused_with_the_sentence_and_no_call(tmp_path: Path) -> None:
    async def story() -> None:
        async with office(tmp_path) as here:
            drafts = [*people(2, zone=NEW_YORK), *people(4, zone=NEW_YORK, consent=None)[2:]]
            await here.store.do_not_call.add(number_of(0), START, "by hand")
            record = await here.begins(drafts)
            await here.comes_to(record, FINISHED)
            left = await here.left(record)
            assert [left[one].reason for one in range(4)] == ["do_not_call", "", "no_consent", "no_consent"]
            assert left[0].detail == "the number is on the do-not-call list"
            assert [one.number for one in here.town.rung] == [number_of(1)]

    virtually(story)


def test_a_lead_that_cannot_be_used_is_refused_and_the_others_are_called(tmp_path: Path) -> None:
    async def story() -> None:
        async with office(tmp_path) as here:
            drafts = [*people(1, email="none"), *people(2, zone=NEW_YORK)[1:]]
            record = await here.begins(drafts)
            await here.comes_to(record, FINISHED)
            left = await here.left(record)
            assert (left[0].state, left[0].reason) == (LeadState.REFUSED, "lead")
            assert left[1].state is LeadState.DONE

    virtually(story)


def test_no_more_calls_go_on_than_there_are_places_and_nobody_is_lost_for_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with office(tmp_path, places=2) as here:
            record = await here.begins(people(12, zone=NEW_YORK))
            await here.comes_to(record, FINISHED)
            assert here.town.most_at_once == 2
            assert len(here.town.rung) == 12

    virtually(story)


def test_no_more_calls_go_on_than_the_campaign_wants(tmp_path: Path) -> None:
    async def story() -> None:
        async with office(tmp_path) as here:
            record = await here.begins(people(9, zone=NEW_YORK), at_once=3, per_s=100)
            await here.comes_to(record, FINISHED)
            assert here.town.most_at_once == 3

    virtually(story)


def test_a_pause_begins_no_call_and_lets_the_live_ones_end(tmp_path: Path) -> None:
    async def story() -> None:
        async with office(tmp_path) as here:
            record = await here.begins(people(20, zone=NEW_YORK))
            await passes(5.5)
            paused = await here.desk.pause(record.id)
            assert paused.state is PAUSED
            rung = len(here.town.rung)
            await passes(600)
            assert len(here.town.rung) == rung
            states = Counter(one.state for one in (await here.left(record)).values())
            assert states == {LeadState.DONE: rung, LeadState.WAITING: 20 - rung}
            with pytest.raises(CampaignError, match="is paused"):
                await here.desk.pause(record.id)
            await here.desk.resume(record.id)
            await here.comes_to(record, FINISHED)
            assert len(here.town.rung) == 20

    virtually(story)


def test_pauses_and_resumes_all_at_once_lose_nobody(tmp_path: Path) -> None:
    async def story() -> None:
        async with office(tmp_path) as here:
            record = await here.begins(people(20, zone=NEW_YORK))
            await passes(5.5)
            for _ in range(10):
                changes = (here.desk.pause, here.desk.resume) * 3
                await asyncio.gather(*(change(record.id) for change in changes), return_exceptions=True)
                if (await here.store.campaigns.get(record.id)).state is PAUSED:
                    await here.desk.resume(record.id)
            await here.comes_to(record, FINISHED)
            assert len(here.town.rung) == 20

    virtually(story)


def test_a_campaign_that_was_stopped_is_over(tmp_path: Path) -> None:
    async def story() -> None:
        async with office(tmp_path) as here:
            record = await here.begins(people(20, zone=NEW_YORK))
            await passes(5.5)
            assert (await here.desk.stop(record.id)).state is STOPPED
            rung = len(here.town.rung)
            await passes(600)
            assert len(here.town.rung) == rung
            for change in (here.desk.pause, here.desk.resume, here.desk.stop):
                with pytest.raises(CampaignError, match="is stopped"):
                    await change(record.id)
            with pytest.raises(UnknownRecord):
                await here.desk.stop(99)

    virtually(story)


def test_too_many_abandoned_calls_hold_a_campaign_until_somebody_resumes_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with office(tmp_path, manners=lambda person, _: KEPT_WAITING if person < 3 else Manners()) as here:
            record = await here.begins(people(20, zone=NEW_YORK), per_s=0.02)
            held = await here.comes_to(record, HELD)
            assert "2 of 2 answered calls were abandoned" in held.reason
            assert len(here.town.rung) == 2
            await here.desk.resume(record.id)
            await here.comes_to(record, HELD)
            assert len(here.town.rung) == 3
            await here.desk.resume(record.id)
            done = await here.comes_to(record, FINISHED)
            assert (done.answered, done.abandoned) == (20, 3)

    virtually(story)


def test_a_campaign_without_leads_is_refused(tmp_path: Path) -> None:
    async def story() -> None:
        async with office(tmp_path) as here:
            with pytest.raises(CampaignError, match="nobody"):
                await here.begins([])

    virtually(story)


def test_two_campaigns_share_the_pace(tmp_path: Path) -> None:
    async def story() -> None:
        async with office(tmp_path) as here:
            first = await here.begins(people(8, zone=NEW_YORK)[:4])
            second = await here.begins(people(8, zone=NEW_YORK)[4:])
            await here.comes_to(first, FINISHED)
            await here.comes_to(second, FINISHED)
            assert min(gaps(here.town.rung)) >= timedelta(seconds=1)
            assert len(here.town.rung) == 8

    virtually(story)


def test_a_server_that_was_closed_goes_on_where_it_was(tmp_path: Path) -> None:
    async def story() -> None:
        async with office(tmp_path) as here:
            record = await here.begins(people(20, zone=NEW_YORK), retry=["failed:never"])
            await passes(10.5)
            first = [one.number for one in here.town.rung]
        async with office(tmp_path) as here:
            await here.comes_to(record, FINISHED)
            second = [one.number for one in here.town.rung]
            assert sorted(first + second) == sorted(number_of(one) for one in range(20))
            left = await here.left(record)
            assert {one.state for one in left.values()} == {LeadState.DONE}
            # What was live when the server ended was cut short, and that is what its lead says.
            assert Counter(one.line_result for one in left.values())["answered"] >= len(second)

    virtually(story)


def test_a_database_that_is_locked_for_a_while_loses_nobody(tmp_path: Path) -> None:
    async def story() -> None:
        async with office(tmp_path, manners=lambda *_: Manners(talks_s=1), busy_ms=1) as here:
            record = await here.begins(people(4, zone=NEW_YORK), per_s=0.01)
            await passes(95)
            with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                await passes(30)
                assert len(here.town.rung) == 1
                other.execute("ROLLBACK")
            await here.comes_to(record, FINISHED)
            assert [one.number for one in here.town.rung] == [number_of(one) for one in range(4)]

    virtually(story)


def test_a_campaign_that_another_server_resumes_is_that_servers(tmp_path: Path) -> None:
    async def story() -> None:
        async with office(tmp_path, server="one") as one, office(tmp_path, server="two") as two:
            record = await one.begins(people(20, zone=NEW_YORK))
            await passes(5.5)
            await two.desk.pause(record.id)
            await passes(300)
            before = len(one.town.rung)
            assert before < 20
            await two.desk.resume(record.id)
            await two.comes_to(record, FINISHED)
            assert len(one.town.rung) == before
            assert sorted(rung.number for rung in (*one.town.rung, *two.town.rung)) == sorted(map(number_of, range(20)))
            assert await one.store.campaigns.running() == ()

    virtually(story)


def test_whoever_opted_out_is_never_called_again_and_a_word_that_nobody_knows_is_a_failure() -> None:
    def told(line: str, *, opted_out: bool = False) -> Transcript:
        outcome = Outcome("not_reached", line, START, opted_out=opted_out)
        return Transcript(CallRecord(NewCall("out-1", "outbound", START), None, opted_out, outcome), (), (), ())

    rules = RetryRules()
    assert verdict_of(told("busy"), rules).again_at(1) is not None
    assert verdict_of(told("busy", opted_out=True), rules).again_at(1) is None
    assert verdict_of(told(""), rules).line_result == "failed"


@pytest.mark.parametrize(
    ("line", "answered_s", "heard", "abandoned"),
    [
        (LineResult.ANSWERED, 5.0, "Hello.", False),
        (LineResult.ANSWERED, 5.0, "", True),
        (LineResult.ANSWERED, 1.5, "", False),
        (LineResult.ABANDONED, None, "", True),
        (LineResult.VOICEMAIL, 5.0, "", False),
        (LineResult.BUSY, None, "", False),
    ],
)
def test_a_call_is_abandoned_when_somebody_waits_for_us_in_vain(
    line: LineResult, answered_s: float | None, heard: str, abandoned: bool
) -> None:
    ended = START + timedelta(seconds=20)
    answered_at = ended - timedelta(seconds=answered_s) if answered_s is not None else None
    outcome = Outcome(Disposition.HUNG_UP.value, line.value, ended)
    call = CallRecord(NewCall("out-1", "outbound", START), answered_at, opted_out=False, outcome=outcome)
    turns = (TurnRecord(0, reply="Hello.", reply_heard=heard),)
    assert is_abandoned(Transcript(call, turns, (), ())) is abandoned
