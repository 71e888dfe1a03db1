"""Calls and campaigns by a playbook of their own: what is said, what is remembered, and what can't be."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from telephony_agent.engines.scripted import ScriptedSynthesizer, ScriptedTranscriber
from telephony_agent.errors import PlaybookError, SynthesisError
from telephony_agent.live.announcing import render_announcements
from telephony_agent.live.last_words import LastWords
from telephony_agent.live.playbook_shelf import KEPT, PlaybookShelf, TermsShelf
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.sales.playbook import Playbook
from telephony_agent.sales.playbooks import shipped_playbooks, shipped_text
from telephony_agent.simulator.script import HangUpStep, NoiseStep, WaitStep
from telephony_agent.store import NewCall, TurnRecord
from tests.loopback.agent import PLAYBOOK, Parts
from tests.loopback.dialled import NOON, OURS, World, dialling, lead, parts, run
from tests.loopback.test_answering import MAILBOX, SOMEBODY, TONE_WORDS
from tests.loopback.test_campaigns import HEADING, ONCE, asked, campaigning, row, when_none_is_live
from tests.simulator.twin import PERSON, SHORT, callee

pytestmark = pytest.mark.long

ZOE = """
persona: Zoe
company: Larkspur
product: Larkspur Tables
pitch: Guests reserve a table online.
meeting: a visit
question: How many tables do you have?
voicemail: ""
opt_out_phrases: [no more larks]
"""
IDA = ZOE.replace("Zoe", "Ida")
TALKER = callee(
    "talker",
    *(NoiseStep("babble", 200), NoiseStep("babble", 400, interrupt_ms=9000), WaitStep(1500), HangUpStep()),
)
LISTENER = {SHORT: TALKER}
"""Somebody who hears us out, and says something."""
ANSWERED = {"speculated": 0}
PARTY = {"name": "Anna Miller", "phone": SHORT, "zone": "America/New_York", "consent": {"text": "Yes, call me."}}


def quick(folder: Path) -> Parts:
    """Return an agent that says much in little time."""
    return parts(folder, synthesizer=ScriptedSynthesizer(ms_per_character=3))


async def dialled(world: World, playbook: str, status: int = 202, **changes: Any) -> dict[str, Any]:
    body = {"channel": "phone", "lead": PARTY | changes, "playbook": playbook}
    answer = await asked(world, "POST", "/sales/start-call", status, json=body)
    assert isinstance(answer, dict)
    return answer


async def finished(world: World, campaign_id: int) -> None:
    """Wait until every lead of a campaign is done."""
    while (await when_none_is_live(world, campaign_id))["state"] != "finished":  # noqa: ASYNC110  # another process
        await asyncio.sleep(0.05)


def greeted_by(told: dict[str, Any]) -> str:
    heard: str = told["greeting"]["heard"]
    return heard.removeprefix("Hi, this is ").partition(",")[0]


def test_a_call_by_a_playbook_of_its_own_is_made_by_that_and_the_next_one_by_ours(tmp_path: Path) -> None:
    async def story() -> None:
        async with dialling(quick(tmp_path), callees=LISTENER) as world:
            call_id = (await dialled(world, ZOE))["call_id"]
            await world.here(world.dialler.finished(call_id))
            by_zoe, by_us = await world.account(call_id), await world.call_to(SHORT)
            rows = (await asked(world, "GET", "/calls"))["calls"]
            responder = world.agent.room.engines.responder
        assert (greeted_by(by_zoe), greeted_by(by_us)) == ("Zoe", "Ava")
        prompts = {prompt[0]["content"].partition(",")[0] for prompt in responder.prompts}
        assert prompts == {"You are Zoe", "You are Ava"}
        by = {row["call_id"]: row["playbook_id"] for row in rows}
        assert by == {
            by_us["call_id"]: SalesDesk(PLAYBOOK).playbook_id,
            by_zoe["call_id"]: SalesDesk(Playbook.parse(ZOE)).playbook_id,
        }

    run(story)


def test_a_playbook_without_a_message_leaves_none(tmp_path: Path) -> None:
    async def story() -> None:
        agent = parts(tmp_path, transcriber=ScriptedTranscriber(otherwise=TONE_WORDS))
        async with dialling(agent, callees={SOMEBODY: MAILBOX}) as world:
            call_id = (await dialled(world, ZOE, phone=SOMEBODY))["call_id"]
            await world.here(world.dialler.finished(call_id))
            told = await world.account(call_id)
        assert (told["outcome"]["line_result"], told["outcome"]["disposition"]) == ("voicemail", "not_reached")

    run(story)


@pytest.mark.parametrize(
    ("playbook", "error"),
    [
        (ZOE + "pich: Tables.\n", "playbook: line 9: pich: is not a key of a playbook"),
        (ZOE + "language: es\n", "playbook: language: 'es' is not this server's"),
        (ZOE + "tools: [os:system]\n", "playbook: tools: 'os:system' is not among those of this server's own"),
        ("- a list", "playbook: the playbook must be a mapping"),
    ],
)
def test_a_playbook_that_cannot_be_used_is_refused_and_nobody_is_called(
    tmp_path: Path, playbook: str, error: str
) -> None:
    async def story() -> None:
        async with campaigning(tmp_path) as world:
            told = await dialled(world, playbook, status=422)
            assert told["error"].startswith(error)
            begun = {"name": "c", "csv": f"{HEADING}\n{row('Anna', PERSON)}", "playbook": playbook}
            told = await asked(world, "POST", "/campaigns", 422, json=begun)
            assert told["error"].startswith(error)
            assert not world.exchange.records

    run(story)


@pytest.mark.parametrize("name", shipped_playbooks())
def test_those_that_ship_can_be_used_beside_any_other(tmp_path: Path, name: str) -> None:
    async def story() -> None:
        async with dialling(quick(tmp_path), callees=LISTENER) as world:
            call_id = (await dialled(world, shipped_text(name)))["call_id"]
            outcome = await world.here(world.dialler.finished(call_id))
        assert outcome.line_result == "answered"

    run(story)


def test_text_calls_take_one_as_well(tmp_path: Path) -> None:
    async def story() -> None:
        async with dialling(parts(tmp_path)) as world:
            party = {"name": "Anna Miller"}
            body = {"channel": "text", "lead": party, "playbook": ZOE}
            told = await asked(world, "POST", "/sales/start-call", 201, json=body)
            assert told["message"].startswith("Hi, this is Zoe, the AI assistant of Larkspur.")
            turn = {"text": "No more larks."}
            told = await asked(world, "POST", f"/sales/calls/{told['call_id']}/turns", json=turn)
            assert told["state"]["opted_out"]

    run(story)


def test_a_campaign_is_made_by_its_own_playbook(tmp_path: Path) -> None:
    async def story() -> None:
        async with campaigning(tmp_path, LISTENER) as world:
            body = {"name": "tables", "csv": f"{HEADING}\n{row('Paul', SHORT)}", "retry": ONCE, "playbook": ZOE}
            begun = await asked(world, "POST", "/campaigns", 201, json=body)
            assert begun["playbook_id"] == SalesDesk(Playbook.parse(ZOE)).playbook_id
            await finished(world, begun["id"])
            (lead,) = (await asked(world, "GET", f"/campaigns/{begun['id']}/leads"))["leads"]
            assert greeted_by(await world.account(lead["call_id"])) == "Zoe"

    run(story)


def test_after_a_restart_a_playbook_is_taken_from_the_store(tmp_path: Path) -> None:
    async def story() -> None:
        async with dialling(parts(tmp_path)) as world:
            shelf = world.agent.site.playbooks
            assert shelf is not None
            kept = (await world.here(shelf.add(ZOE, NOON))).playbook_id
        async with dialling(quick(tmp_path), callees=LISTENER) as world:
            answer = await world.here(world.dialler.dial(lead(SHORT), playbook_id=kept))
            await world.here(world.dialler.finished(answer.call_id))
            assert greeted_by(await world.account(answer.call_id)) == "Zoe"
            answer = await world.here(world.dialler.dial(lead(SHORT), playbook_id="none-such"))
            assert (answer.placed, answer.reason) == (False, "playbook")
            assert answer.detail == "playbook: there is no playbook none-such"

    run(story)


def test_a_call_that_was_cut_short_is_concluded_by_the_playbook_that_it_was_made_by(tmp_path: Path) -> None:
    async def story() -> None:
        async with dialling(parts(tmp_path)) as world:
            store = world.agent.site.store
            assert store is not None
            shelf = PlaybookShelf(SalesDesk(PLAYBOOK), store)
            zoes = await world.here(shelf.add(ZOE, NOON))
            dispositions = []
            for call_id, playbook_id in (("by-zoe", zoes.playbook_id), ("by-us", ""), ("by-nobody", "none-such")):
                new = NewCall(call_id, "outbound", NOON, number=PERSON, our_number=OURS, playbook_id=playbook_id)
                book = store.recorder.call(call_id)
                book.begin(new)
                book.answered(NOON + timedelta(seconds=5))
                book.turn(
                    TurnRecord(1, transcript="no more larks", reply="I see.", reply_heard="I see.", timings=ANSWERED)
                )
                await world.here(store.recorder.flush())
                told = await world.here(store.history.transcript(call_id))
                outcome = await world.here(_retold(shelf, told))
                dispositions.append(outcome.opted_out)
            assert dispositions == [True, False, False]

    run(story)


async def _retold(shelf: PlaybookShelf, told: Any) -> Any:
    return await LastWords(shelf, None).retell(told)


def test_fixed_words_are_spoken_once_for_all_calls_by_a_playbook(tmp_path: Path) -> None:
    async def story() -> None:
        async with dialling(parts(tmp_path)) as world:
            shelf = world.agent.site.playbooks
            assert shelf is not None
            terms = TermsShelf(world.agent.room, world.agent.terms, shelf, dials=True)
            zoe = (await world.here(shelf.add(ZOE, NOON))).playbook_id
            ida = (await world.here(shelf.add(IDA, NOON))).playbook_id
            first = await world.here(terms.find(zoe))
            assert await world.here(terms.find(zoe)) is first
            assert await world.here(terms.find(ida)) is not first
            assert await world.here(terms.find("")) is world.agent.terms
            for number in range(KEPT):
                other = await world.here(shelf.add(f"{ZOE}tone: tone {number}\n", NOON))
                await world.here(terms.find(other.playbook_id))
            assert len(terms._terms) == KEPT
            assert await world.here(terms.find(zoe)) is not first

    run(story)


def test_words_that_cannot_be_spoken_are_a_refusal(tmp_path: Path) -> None:
    async def story() -> None:
        rehearsal = ScriptedSynthesizer()
        render_announcements(SalesDesk(PLAYBOOK), rehearsal, dials=True)
        broken = [*["" for _ in rehearsal.spoken], SynthesisError("no voice")]
        async with dialling(parts(tmp_path, synthesizer=ScriptedSynthesizer(broken)), callees=LISTENER) as world:
            told = await dialled(world, ZOE, status=422)
            assert (told["reason"], told["error"]) == (
                "playbook",
                "playbook: its fixed words can't be spoken: no voice",
            )
            assert not world.exchange.records
            await dialled(world, ZOE)

    run(story)


@pytest.mark.parametrize("name", shipped_playbooks())
def test_a_playbook_comes_back_from_the_store_as_it_was(name: str) -> None:
    playbook = Playbook.parse(shipped_text(name))
    assert Playbook.from_json(playbook.as_json()) == playbook


def test_a_playbook_of_another_version_is_an_error_that_names_the_key() -> None:
    with pytest.raises(PlaybookError, match="colour: Extra inputs"):
        Playbook.from_json(PLAYBOOK.as_json().replace("{", '{"colour": "red", ', 1))
