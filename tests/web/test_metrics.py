"""``GET /metrics``: by bearer token, and every figure moves when a call goes by."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from telephony_agent.engines.scripted import ScriptedResponder, ScriptedTranscriber
from telephony_agent.telemetry import LAG_SAMPLE_S, Metrics, sampled_loop_lag
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


def scrape(agent: Agent) -> dict[str, float]:
    """Return every sample by its name and label values."""
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    answer = httpx.get(f"{agent.url}/metrics", headers=headers, trust_env=False)
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
