"""``GET /metrics``: by bearer token; every figure moves when a call goes by, or a campaign."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from telephony_agent.carrier.twiml import TwimlDocuments
from telephony_agent.engines.scripted import ScriptedResponder, ScriptedTranscriber
from telephony_agent.live.campaign import CampaignDesk
from telephony_agent.sales.compliance import DialPolicy
from telephony_agent.store import CampaignState, Store
from telephony_agent.telemetry import LAG_SAMPLE_S, Metrics, sampled_loop_lag
from telephony_agent.web.app import create_app
from telephony_agent.web.site import Site
from tests.live.town import BUSY, KEPT_WAITING, NEW_YORK, Manners, Town, office, passes, people, virtually
from tests.loopback.agent import API_TOKEN, Agent, Parts, running
from tests.loopback.client import ask_for_stream, call_sid, connected

LONG = "It costs ten dollars a month for every seat that you have, and you can leave whenever you like to."


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    parts = Parts(
        transcriber=ScriptedTranscriber([""], otherwise="how much does it cost"),
        responder=ScriptedResponder(otherwise=LONG),
    )
    with running(parts) as agent:
        yield agent


HEADERS = {"Authorization": f"Bearer {API_TOKEN}"}


def scrape(agent: Agent) -> dict[str, float]:
    return told(httpx.get(f"{agent.url}/metrics", headers=HEADERS, trust_env=False))


async def scraped(site: Site) -> dict[str, float]:
    """Ask the application, without a socket."""
    transport = httpx.ASGITransport(app=create_app(site))
    async with httpx.AsyncClient(transport=transport, base_url=site.public_url, headers=HEADERS) as client:
        return told(await client.get("/metrics"))


def told(answer: httpx.Response) -> dict[str, float]:
    """Return every sample by its name and label values."""
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        " ".join([sample.name.removeprefix("telephony_agent_"), *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer guess"}, {"Authorization": f"Basic {API_TOKEN}"}])
def test_metrics_are_for_the_bearer_of_the_token(agent: Agent, headers: dict[str, str]) -> None:
    assert httpx.get(f"{agent.url}/metrics", headers=headers, trust_env=False).status_code == 401


def test_every_figure_moves_when_a_call_goes_by(agent: Agent) -> None:
    before = scrape(agent)
    assert before["calls_live"] == 0
    assert before["turns_total"] == 0

    async def scenario() -> dict[str, float]:
        parameters = await asyncio.to_thread(ask_for_stream, agent, call_sid())
        async with connected(agent, call_sid()) as client:
            await client.start(parameters)
            await client.until("mark")
            await client.says()
            await client.until("media")
            await client.says()  # over the reply
            await client.until("clear")
            await client.until("media")
            live = await asyncio.to_thread(scrape, agent)
            await client.stop()
            await client.closed()
        return live

    live = asyncio.run(scenario())
    assert live["calls_live"] == 1
    after = scrape(agent)
    assert after["calls_live"] == 0
    assert after["calls_ended_total caller"] == 1
    assert after["turns_total"] == 2
    assert after["barge_ins_total"] >= 1
    assert after.get("speculations_total hit", 0) + after.get("speculations_total miss", 0) == 2
    for stage in ("turn_gap", "endpoint", "transcribe", "first_token", "first_phrase"):
        assert after[f"{stage}_seconds_count"] >= 1, stage
    for lane in ("transcribe", "respond", "synthesize"):
        assert after[f"engine_seconds_count {lane}"] > 0
        assert after[f"queue_wait_seconds_count {lane}"] == after[f"engine_seconds_count {lane}"]


def test_two_servers_do_not_share_their_figures() -> None:
    one, other = Metrics(), Metrics()
    one.turn_answered({"turn_gap_ms": 600, "speculated": 1})
    assert one.registry.get_sample_value("telephony_agent_turns_total") == 1
    assert one.registry.get_sample_value("telephony_agent_turn_gap_seconds_sum") == 0.6
    assert one.registry.get_sample_value("telephony_agent_speculations_total", {"outcome": "hit"}) == 1
    assert other.registry.get_sample_value("telephony_agent_turns_total") == 0


def test_a_loop_that_is_held_up_shows_its_lag() -> None:
    metrics = Metrics()

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        due, done = loop.time() + LAG_SAMPLE_S, asyncio.Event()

        def hold_up() -> None:
            while loop.time() < due + 0.1:
                pass
            # The sampler, whose time came meanwhile, is served before what is asked for now.
            loop.call_later(0, done.set)

        async with sampled_loop_lag(metrics):
            loop.call_later(LAG_SAMPLE_S / 2, hold_up)
            await done.wait()

    asyncio.run(scenario())
    assert (metrics.registry.get_sample_value("telephony_agent_event_loop_lag_seconds_sum") or 0.0) >= 0.1


# Campaigns


def site_with(store: Store, desk: CampaignDesk | None) -> Site:
    return Site("https://agent.example", None, TwimlDocuments(), api_token=API_TOKEN, store=store, campaigns=desk)


def of_campaigns(samples: dict[str, float]) -> dict[str, float]:
    """Return what isn't 0 of the campaigns' figures."""
    return {name: value for name, value in samples.items() if name.startswith("campaign") and value}


def test_every_figure_of_campaigns_moves_as_these_go_on(tmp_path: Path) -> None:
    manners = {0: Manners(), 1: BUSY, 2: KEPT_WAITING, 3: KEPT_WAITING}

    async def story() -> None:
        async with office(tmp_path, manners=lambda person, _: manners[person]) as here:
            site = site_with(here.store, here.desk)
            before = await scraped(site)
            assert of_campaigns(before) == {}
            assert before["campaign_calls_total no_answer"] == 0, "a rate needs a beginning"
            drafts = [*people(4, zone=NEW_YORK), *people(6, zone=NEW_YORK, consent=None)[4:]]
            record = await here.begins(drafts, retry=["busy:never"])
            await passes(10)
            assert of_campaigns(await scraped(site)) == {
                "campaigns running": 1,
                "campaign_calls_live": 3,
                "campaign_calls_total busy": 1,
                "campaign_dispositions_total not_reached": 1,
                "campaign_refusals_total no_consent": 2,
                "campaign_leads dialling": 3,
                "campaign_leads done": 1,
                "campaign_leads refused": 2,
            }
            await here.comes_to(record, CampaignState.HELD)
            assert of_campaigns(await scraped(site)) == {
                "campaigns held": 1,
                "campaign_calls_total busy": 1,
                "campaign_calls_total answered": 3,
                "campaign_dispositions_total not_reached": 1,
                "campaign_dispositions_total hung_up": 2,
                "campaign_dispositions_total not_interested": 1,
                "campaign_abandoned_total": 2,
                "campaign_abandoned_share": pytest.approx(2 / 3),
                "campaign_refusals_total no_consent": 2,
                "campaign_leads done": 4,
                "campaign_leads refused": 2,
            }
            await here.desk.stop(record.id)
            over = of_campaigns(await scraped(site))
            assert over["campaigns stopped"] == 1
            assert not [name for name in over if name.startswith(("campaign_leads", "campaign_abandoned_share"))]

    virtually(story)


def test_whose_hours_are_closed_is_counted_each_time_that_their_turn_comes(tmp_path: Path) -> None:
    async def story() -> None:
        async with office(tmp_path) as here:
            await here.begins(people(2, zone="Europe/Berlin"))
            await passes(10)
            samples = of_campaigns(await scraped(site_with(here.store, here.desk)))
            assert samples == {
                "campaigns running": 1,
                "campaign_leads waiting": 2,
                "campaign_refusals_total outside_hours": 2,
            }

    virtually(story)


def test_a_worker_that_runs_no_campaigns_tells_nothing_of_them(tmp_path: Path) -> None:
    async def story() -> None:
        async with office(tmp_path) as here:
            samples = await scraped(site_with(here.store, None))
            assert [name for name in samples if name.startswith("campaign")] == []

    virtually(story)


def test_without_its_database_a_server_tells_what_it_counts_itself(tmp_path: Path) -> None:
    async def story() -> None:
        store = Store(tmp_path / "nowhere")
        samples = await scraped(site_with(store, CampaignDesk(Town(store), store, DialPolicy())))
        assert samples["campaign_calls_live"] == 0
        assert "campaigns running" not in samples
        await store.close()

    virtually(story)
