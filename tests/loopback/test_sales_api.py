"""Sales calls by text, through the real server and its API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from telephony_agent.engines.scripted import Hold, ScriptedResponder, Step
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.text_call import TextTerms
from telephony_agent.live.text_desk import TextDesk
from telephony_agent.sales.phrasebook import Phrasebook
from telephony_agent.web.body import JSON_LIMIT
from tests.loopback.agent import API_TOKEN, PLAYBOOK, Agent, Parts, running
from tests.loopback.client import wait_for

ANNA = {"name": "Anna Miller", "phone": "+15005550006", "company": "Miller Dental"}


@contextmanager
def talking(folder: Path, *replies: Step) -> Iterator[Agent]:
    """Serve with text calls in which the model says these replies."""
    responder = ScriptedResponder(replies, otherwise="I see. What else would you like to know?")
    with running(Parts(responder=responder, data_dir=folder)) as agent:
        terms = TextTerms(responder, agent.room.responding, 10.0, Phrasebook.shipped())
        assert agent.site.store is not None
        agent.site.text_desk = TextDesk(SalesDesk(PLAYBOOK), terms, recorder=agent.site.store.recorder, max_live=2)
        yield agent


def api(agent: Agent, method: str, path: str, **given: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {API_TOKEN}", **given.pop("headers", {})}
    return httpx.request(method, f"{agent.url}/api/v1{path}", headers=headers, trust_env=False, timeout=30, **given)


def start(agent: Agent, lead: dict[str, str] = ANNA, channel: str = "text") -> httpx.Response:
    return api(agent, "POST", "/sales/start-call", json={"lead": lead, "channel": channel})


def says(agent: Agent, call_id: str, text: str, **given: Any) -> httpx.Response:
    return api(agent, "POST", f"/sales/calls/{call_id}/turns", json={"text": text}, **given)


def test_a_call_is_greeted_talked_in_and_remembered(tmp_path: Path) -> None:
    with talking(tmp_path, "It is about booking.", "Have a good day.") as agent:
        started = start(agent)
        assert started.status_code == 201
        call_id = started.json()["call_id"]
        assert started.json()["message"] == PLAYBOOK.greeting
        turn = says(agent, call_id, "Hi, it's Anna. What is it about?").json()
        assert turn["reply"] == "It is about booking."
        assert turn["state"]["disclosed"]
        assert (turn["ended"], turn["end_reason"], turn["outcome"]) == (False, None, None)
        last = says(agent, call_id, "Thanks, goodbye.").json()
        assert (last["ended"], last["end_reason"]) == (True, "goodbye")
        assert last["outcome"]["summary"].startswith("Anna Miller of Miller Dental")

        wait_for(lambda: bool(api(agent, "GET", "/calls", params={"live": "false"}).json()["calls"]))
        told = api(agent, "GET", f"/calls/{call_id}/transcript").json()
        assert told["call"]["channel"] == "text"
        assert told["call"]["disposition"] == last["outcome"]["disposition"]
        assert [turn["reply_heard"] for turn in told["turns"]] == [
            PLAYBOOK.greeting,
            "It is about booking.",
            "Have a good day.",
        ]


def test_an_opt_out_by_text_puts_the_number_on_the_list(tmp_path: Path) -> None:
    with talking(tmp_path) as agent:
        turn = says(agent, start(agent).json()["call_id"], "Please take me off your list").json()
        assert turn["reply"].startswith("Understood.")
        assert turn["state"]["opted_out"]
        assert turn["outcome"]["disposition"] == "do_not_call"
        wait_for(lambda: bool(api(agent, "GET", "/do-not-call").json()["numbers"]))
        assert [one["number"] for one in api(agent, "GET", "/do-not-call").json()["numbers"]] == [ANNA["phone"]]


def test_a_value_that_was_read_back_stands_in_the_state(tmp_path: Path) -> None:
    with talking(tmp_path) as agent:
        call_id = start(agent).json()["call_id"]
        turn = says(agent, call_id, "My email is anna at example dot com").json()
        assert "anna at example dot com" in turn["reply"]
        assert turn["state"]["reading_back"] == "email"
        assert turn["state"]["slots"]["email"] == {"value": "anna@example.com", "state": "heard"}
        turn = says(agent, call_id, "Yes, that's right").json()
        assert turn["state"]["slots"]["email"] == {"value": "anna@example.com", "state": "confirmed"}


def test_a_reply_streams_phrase_by_phrase_and_ends_with_the_turn(tmp_path: Path) -> None:
    with talking(tmp_path, "It was about booking. Thank you for your time. [END_CALL]") as agent:
        answer = says(agent, start(agent).json()["call_id"], "That's all.", headers={"Accept": "text/event-stream"})
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [event.split("\n") for event in answer.text.strip().split("\n\n")]
        assert [name for name, _ in events] == ["event: phrase", "event: phrase", "event: turn"]
        data = [json.loads(line.removeprefix("data: ")) for _, line in events]
        assert [one["text"] for one in data[:2]] == ["It was about booking.", "Thank you for your time."]
        assert data[2]["reply"] == "It was about booking. Thank you for your time."
        assert (data[2]["ended"], data[2]["end_reason"]) == (True, "agent")


def test_a_stream_that_is_left_loses_nothing_of_the_call(tmp_path: Path) -> None:
    hold = Hold("It is about booking. Would you like to see it?")
    with talking(tmp_path, hold) as agent:
        call_id = start(agent).json()["call_id"]
        headers = {"Authorization": f"Bearer {API_TOKEN}", "Accept": "text/event-stream"}
        url = f"{agent.url}/api/v1/sales/calls/{call_id}/turns"
        with httpx.Client(trust_env=False) as client:
            request = client.build_request("POST", url, json={"text": "What is it about?"}, headers=headers)
            client.send(request, stream=True).close()
        assert says(agent, call_id, "Hello?").status_code == 409
        hold.release.set()
        wait_for(lambda: says(agent, call_id, "And then?").status_code == 200)
        desk = agent.site.text_desk
        assert desk is not None
        call = desk.find(call_id)
        assert call is not None
        assert call.conversation.turns[1].reply_heard == "It is about booking. Would you like to see it?"


def test_a_call_that_is_over_is_gone(tmp_path: Path) -> None:
    with talking(tmp_path) as agent:
        call_id = start(agent).json()["call_id"]
        assert says(agent, call_id, "Goodbye").json()["ended"]
        assert says(agent, call_id, "Hello?").status_code == 410
        assert says(agent, "T0", "Hello?").status_code == 404


def test_more_calls_than_may_be_are_turned_away(tmp_path: Path) -> None:
    with talking(tmp_path) as agent:
        assert [start(agent).status_code for _ in range(3)] == [201, 201, 503]


@pytest.mark.parametrize(("channel", "told"), [("phone", "needs an account"), ("voice", "not served here")])
def test_a_channel_that_is_missing_says_what_to_use(tmp_path: Path, channel: str, told: str) -> None:
    with talking(tmp_path) as agent:
        answer = start(agent, channel=channel)
        assert answer.status_code == 501
        assert told in answer.json()["error"]


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with talking(tmp_path) as agent:
        for lead, named in (
            ({"name": " "}, "lead.name"),
            ({"name": "Anna", "phone": "555"}, "lead.phone"),
            ({"name": "Anna", "email": "anna"}, "lead.email"),
            ({"name": "Anna", "zone": "Mars"}, "lead.zone"),
            ({"name": "Anna", "shoe": "9"}, "lead.shoe"),
        ):
            answer = start(agent, lead)
            assert answer.status_code == 422
            assert answer.json()["error"].startswith(named)
        assert start(agent, channel="smoke").status_code == 422
        call_id = start(agent).json()["call_id"]
        assert says(agent, call_id, " ").status_code == 422
        assert says(agent, call_id, "x" * 1001).status_code == 422
        assert says(agent, call_id, "x" * JSON_LIMIT).status_code == 413


def test_the_calls_are_for_the_bearer_of_the_token_and_need_warm_models(tmp_path: Path) -> None:
    with talking(tmp_path) as agent:
        assert httpx.post(f"{agent.url}/api/v1/sales/start-call", trust_env=False).status_code == 401
        agent.site.text_desk = None
        assert start(agent).status_code == 503
