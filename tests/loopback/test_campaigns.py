"""Campaigns through the real server's API and the command line, dialled through Twilio's twin."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from telephony_agent.cli.main import app
from telephony_agent.errors import SettingError
from telephony_agent.live.campaign import CampaignDesk
from telephony_agent.sales.compliance import DialPolicy
from telephony_agent.simulator.callee import Callee
from tests.cli.remembered import memory_in
from tests.loopback.agent import API_TOKEN
from tests.loopback.dialled import NOON, World, dialling, parts, run
from tests.simulator.twin import ABSENT, BUSY, DECLINES, NOWHERE, PERSON, SHORT

HEADING = "name,phone,zone,consent,consent text,consent time"
CONSENT = "written,Call me.,2026-01-01T00:00:00+00:00"
LISTED = "+12125550199"


def row(name: str, phone: str, zone: str = "America/New_York", consent: str = CONSENT) -> str:
    return f"{name},{phone},{zone},{consent}"


PEOPLE = "\n".join(
    [
        HEADING,
        row("Paul Person", SHORT),
        row("Bea Busy", BUSY),
        row("Abe Absent", ABSENT),
        row("Rita Rejects", DECLINES),
        row("Nora Nowhere", NOWHERE),
        row("Lisa Listed", LISTED),
        row("Tom Tokyo", PERSON, zone="Asia/Tokyo"),
        row("Nick None", "+12125550198", consent=",,"),
        row("Nobody", "12"),
    ]
)
ONCE = ["busy:never", "no_answer:never", "failed:never"]


@asynccontextmanager
async def campaigning(folder: Path, callees: Mapping[str, Callee] | None = None) -> AsyncIterator[World]:
    """Run an agent that can hold campaigns, at noon in New York."""
    async with dialling(parts(folder, max_calls=20), callees=callees) as world:
        began = datetime.now(UTC)
        store = world.agent.site.store
        assert store is not None
        desk = CampaignDesk(world.dialler, store, DialPolicy(), clock=lambda: NOON + (datetime.now(UTC) - began))
        world.agent.site.campaigns = desk
        await world.here(store.do_not_call.add(LISTED, NOON, "by hand"))
        await world.here(desk.start())
        try:
            yield world
        finally:
            await world.here(desk.close())


async def asked(world: World, method: str, path: str, status: int = 200, **given: Any) -> Any:
    answer = await world.asks(method, path, **given)
    assert answer.status_code == status, answer.text
    return answer.json()


async def when_none_is_live(world: World, campaign_id: int) -> dict[str, Any]:
    """Ask how a campaign stands until it waits for nothing but hours."""
    while True:
        told: dict[str, Any] = await asked(world, "GET", f"/campaigns/{campaign_id}")
        progress = told["progress"]
        if progress["waiting"] <= 1 and not progress["dialling"] + progress["talking"]:
            return told
        await asyncio.sleep(0.05)


def test_a_campaign_from_a_file_brings_every_lead_to_its_end(tmp_path: Path) -> None:
    async def story() -> None:
        async with campaigning(tmp_path) as world:
            body = {"name": "autumn", "csv": PEOPLE, "pace": 50, "retry": ONCE}
            begun = await asked(world, "POST", "/campaigns", 201, json=body)
            assert [one["line"] for one in begun["refused_rows"]] == [10]
            told = await when_none_is_live(world, begun["id"])
            assert told["state"] == "running", "Tom's hours are still to open"
            assert told["progress"]["refused"] == {"do_not_call": 1, "no_consent": 1}
            assert told["progress"]["line_results"] == {"answered": 1, "busy": 2, "no_answer": 1, "failed": 1}
            assert (told["answered"], told["abandoned"]) == (1, 0)
            leads = (await asked(world, "GET", f"/campaigns/{begun['id']}/leads"))["leads"]
            waiting = [one for one in leads if one["state"] == "waiting"]
            assert [(one["name"], one["reason"]) for one in waiting] == [("Tom Tokyo", "outside_hours")]
            dialled = [record.parties.called for record in world.exchange.records.values()]
            assert sorted(dialled) == sorted([SHORT, BUSY, ABSENT, DECLINES, NOWHERE])
            person = next(one for one in leads if one["phone"] == SHORT)
            call = await world.account(person["call_id"])
            assert call["outcome"]["disposition"] == person["disposition"]
            assert (await asked(world, "POST", f"/campaigns/{begun['id']}/stop"))["state"] == "stopped"
            listed = (await asked(world, "GET", "/campaigns"))["campaigns"]
            assert [one["name"] for one in listed] == ["autumn"]
            headers = {"Authorization": f"Bearer {API_TOKEN}"}
            async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
                figures = (await client.get(f"{world.agent.url}/metrics")).text
            assert 'telephony_agent_campaign_calls_total{line_result="busy"} 2.0' in figures
            assert 'telephony_agent_campaigns{state="stopped"} 1.0' in figures
            assert not [one["phone"] for one in leads if one["phone"][1:] in figures]

    run(story)


def test_a_file_of_ten_thousand_leads_is_taken(tmp_path: Path) -> None:
    row = "Person {0},+1212555{0:04d},Company of a long name Incorporated,{1}@example.com,Owner,Asia/Tokyo\n"
    rows = "".join(row.format(one, "person" * 8) for one in range(10_000))

    async def story() -> None:
        async with campaigning(tmp_path) as world:
            body = {"csv": f"name,phone,company,email,role,{'x' * 10}\n{rows}", "lead_ids": [1]}
            assert 1024 * 1024 < len(body["csv"]) < 2 * 1024 * 1024
            told = await asked(world, "POST", "/campaigns/check", 422, json=body)
            assert "either csv or lead_ids" in str(told)
            too_much = await asked(world, "POST", "/campaigns/check", 413, json={"csv": rows * 2})
            assert "too long" in too_much["error"]

    run(story)


def test_a_campaign_with_leads_of_the_store_is_paused_and_resumed(tmp_path: Path) -> None:
    async def story() -> None:
        async with campaigning(tmp_path) as world:
            lead = {"name": "Paul Person", "phone": SHORT, "zone": "Asia/Tokyo"}
            lead_id = (await asked(world, "POST", "/leads", 201, json=lead))["id"]
            begun = await asked(world, "POST", "/campaigns", 201, json={"name": "one", "lead_ids": [lead_id]})
            path = f"/campaigns/{begun['id']}"
            assert (await asked(world, "POST", f"{path}/pause"))["state"] == "paused"
            assert "is paused" in (await asked(world, "POST", f"{path}/pause", 409))["error"]
            assert (await asked(world, "POST", f"{path}/resume"))["state"] == "running"
            assert "no campaign 99" in (await asked(world, "POST", "/campaigns/99/stop", 404))["error"]
            assert "no campaign" in (await asked(world, "GET", f"/campaigns/{2**40}", 404))["error"]

    run(story)


def test_a_campaign_is_deleted_once_it_is_over_and_its_leads_and_calls_stay(tmp_path: Path) -> None:
    async def story() -> None:
        async with campaigning(tmp_path) as world:
            body = {"name": "autumn", "csv": "\n".join([HEADING, row("Bea Busy", BUSY)]), "retry": ["busy:1d"]}
            path = f"/campaigns/{(await asked(world, 'POST', '/campaigns', 201, json=body))['id']}"
            while not (await asked(world, "GET", f"{path}/leads"))["leads"][0]["attempts"]:  # noqa: ASYNC110  # it is elsewhere
                await asyncio.sleep(0.05)
            assert (
                "is running, so it can't be deleted; stop it first"
                in (await asked(world, "DELETE", path, 409))["error"]
            )
            await asked(world, "POST", f"{path}/stop")
            last = await asked(world, "DELETE", path)
            assert (last["name"], last["state"], last["progress"]["waiting"]) == ("autumn", "stopped", 1)
            assert "no campaign" in (await asked(world, "GET", path, 404))["error"]
            assert "no campaign" in (await asked(world, "DELETE", path, 404))["error"]
            assert [one["name"] for one in (await asked(world, "GET", "/leads"))["leads"]] == ["Bea Busy"]
            assert [one["line_result"] for one in (await asked(world, "GET", "/calls"))["calls"]] == ["busy"]

    run(story)


def test_a_campaign_that_was_stopped_is_not_deleted_while_a_call_of_it_lives(tmp_path: Path) -> None:
    async def story() -> None:
        async with campaigning(tmp_path) as world:
            body = {"name": "autumn", "csv": "\n".join([HEADING, row("Pia Patient", PERSON)])}
            path = f"/campaigns/{(await asked(world, 'POST', '/campaigns', 201, json=body))['id']}"
            while not (await asked(world, "GET", path))["progress"]["talking"]:  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.02)
            await asked(world, "POST", f"{path}/stop")
            assert "a call of campaign 1 goes on" in (await asked(world, "DELETE", path, 409))["error"]

    run(story)


def test_a_check_says_why_of_each_lead_and_does_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        async with campaigning(tmp_path) as world:
            told = await asked(world, "POST", "/campaigns/check", json={"csv": PEOPLE})
            reasons = {one["name"]: one["reason"] for one in told["prospects"]}
            assert [name for name, reason in reasons.items() if reason == "allowed"] == [
                *("Paul Person", "Bea Busy", "Abe Absent", "Rita Rejects", "Nora Nowhere")
            ]
            assert reasons["Lisa Listed"] == "do_not_call"
            assert reasons["Nick None"] == "no_consent"
            tokyo = next(one for one in told["prospects"] if one["name"] == "Tom Tokyo")
            assert (tokyo["reason"], tokyo["waits_until"]) == ("outside_hours", "2026-11-24T23:00:00Z")
            assert (await asked(world, "GET", "/leads"))["leads"] == []
            assert (await asked(world, "GET", "/campaigns"))["campaigns"] == []
            assert not world.exchange.records

    run(story)


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"name": "x"}, 422, "csv or lead_ids"),
        ({"name": "x", "csv": PEOPLE, "lead_ids": [1]}, 422, "csv or lead_ids"),
        ({"name": "x", "csv": HEADING}, 422, "nobody"),
        ({"name": "x", "csv": "nonsense"}, 422, "name and phone"),
        ({"name": "x", "lead_ids": []}, 422, "nobody"),
        ({"name": "x", "lead_ids": [99]}, 404, "no lead 99"),
        ({"name": "x", "lead_ids": [1], "retry": ["busy"]}, 422, "busy:15m:3"),
        ({"name": "x", "lead_ids": [1], "pace": 0}, 422, "pace"),
        ({"lead_ids": [1]}, 422, "name"),
    ],
)
def test_what_is_no_campaign_is_refused(tmp_path: Path, body: dict[str, Any], status: int, says: str) -> None:
    async def story() -> None:
        async with campaigning(tmp_path) as world:
            assert says in (await asked(world, "POST", "/campaigns", status, json=body))["error"]

    run(story)


def test_without_a_dialler_there_are_no_campaigns(tmp_path: Path) -> None:
    async def story() -> None:
        async with dialling(parts(tmp_path)) as world:
            answer = await asked(world, "POST", "/campaigns", 503, json={"name": "x", "lead_ids": [1]})
            assert "TWILIO_ACCOUNT_SID" in answer["error"]
            assert (await asked(world, "GET", "/campaigns"))["campaigns"] == []

    run(story)


# The command line


def test_the_command_line_begins_follows_and_shows_a_campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "autumn.csv"
    file.write_text("\n".join([HEADING, row("Paul Person", SHORT), row("Bea Busy", BUSY), row("Lisa", LISTED)]))

    async def story() -> None:
        async with campaigning(tmp_path / "data") as world:
            monkeypatch.setenv("AGENT_PORT", world.agent.url.rsplit(":", 1)[1])
            monkeypatch.setenv("AGENT_API_TOKEN", API_TOKEN)

            async def told(*arguments: str, code: int = 0) -> str:
                result = await asyncio.to_thread(CliRunner().invoke, app, ["campaign", *arguments])
                assert result.exit_code == code, (result.output, result.exception)
                return result.output

            tried = await told("--dry-run", str(file))
            assert "2 would be called now, 0 later, 1 never" in tried
            assert "the number is on the do-not-call list" in tried
            done = await told(str(file), "--pace", "50", "--retry", "busy:never")
            assert "autumn" in done
            assert "finished" in done
            assert "refused: do not call" in done
            assert "autumn" in await told("list")
            shown = json.loads(await told("show", "1", "--leads", "--json"))
            assert [one["state"] for one in shown["leads"]] == ["done", "done", "refused"]
            assert "Bea Busy" in await told("show", "1", "--leads")
            kept = json.loads(await told(str(file), "--retry", "busy:1d", "--pace", "50", "--no-follow", "--json"))
            assert kept["name"] == "autumn"
            assert "is paused" in await told("pause", str(kept["id"]))
            assert "is running" in await told("resume", str(kept["id"]))
            assert "is stopped" in await told("stop", str(kept["id"]))
            assert "(autumn) is deleted" in await told("delete", "1")
            result = await asyncio.to_thread(CliRunner().invoke, app, ["campaign", "show", "99"])
            assert "no campaign 99" in str(result.exception)

    with memory_in(tmp_path, monkeypatch):
        run(story)


def test_without_a_server_the_command_says_how_to_start_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with memory_in(tmp_path, monkeypatch):
        with pytest.raises(SettingError, match="AGENT_API_TOKEN"):
            CliRunner().invoke(app, ["campaign", "list"], catch_exceptions=False)
        monkeypatch.setenv("AGENT_API_TOKEN", API_TOKEN)
        monkeypatch.setenv("AGENT_PORT", "1")
        result = CliRunner().invoke(app, ["campaign", "list"])
        assert "telephony-agent serve" in str(result.exception)
