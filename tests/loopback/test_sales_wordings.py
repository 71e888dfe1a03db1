"""Opt-outs and injections in many wordings, through the real server, its API and its store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from telephony_agent.engines.scripted import ScriptedResponder
from telephony_agent.live.sales_desk import SalesDesk
from telephony_agent.live.text_call import TextTerms
from telephony_agent.live.text_desk import TextDesk
from telephony_agent.sales.phrasebook import Phrasebook
from telephony_agent.sales.words import plain
from tests.loopback.agent import API_TOKEN, PLAYBOOK, Parts, running
from tests.sales.adversary import HARMLESS, obedient, secrets
from tests.sales.sentences import lines, wordings
from tests.sales.talk import PHRASES

pytestmark = pytest.mark.long

OPT_OUTS = [*wordings()["seventh"], *wordings()["sixth"][:11]]
"""The wordings that were written last, after the rules had been mended by those before."""
INJECTIONS = lines("injections")
NEIGHBOUR = {"name": "Bob Neighbour", "phone": "+12125550199"}
MAX_LIVE = 400


class Api:
    """A client of the sales API, one connection for all calls."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str, **query: Any) -> Any:
        answer = self._client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def start(self, lead: dict[str, str]) -> str:
        answer = self._client.post("/sales/start-call", json={"lead": lead, "channel": "text"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["call_id"])

    def says(self, call_id: str, text: str) -> dict[str, Any]:
        answer = self._client.post(f"/sales/calls/{call_id}/turns", json={"text": text})
        assert answer.status_code == 200, answer.text
        turn: dict[str, Any] = answer.json()
        return turn


@contextmanager
def serving(folder: Path) -> Iterator[Api]:
    responder = ScriptedResponder(obedient)
    with running(Parts(responder=responder, data_dir=folder)) as agent:
        terms = TextTerms(responder, agent.room.responding, 10.0, Phrasebook.shipped())
        assert agent.site.store is not None
        recorder = agent.site.store.recorder
        agent.site.text_desk = TextDesk(SalesDesk(PLAYBOOK), terms, recorder=recorder, max_live=MAX_LIVE)
        headers = {"Authorization": f"Bearer {API_TOKEN}"}
        with httpx.Client(base_url=f"{agent.url}/api/v1", headers=headers, trust_env=False, timeout=30) as client:
            yield Api(client)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with serving(tmp_path_factory.mktemp("wordings")) as served:
        yield served


def test_there_are_as_many_wordings_as_the_goal_asks() -> None:
    assert len(set(OPT_OUTS)) >= 50
    assert len(set(INJECTIONS)) >= 100


def test_every_opt_out_is_confirmed_ended_and_listed_at_once(api: Api) -> None:
    for place, wording in enumerate(OPT_OUTS):
        number = f"+12125550{100 + place}"
        call_id = api.start({"name": "Anna Miller", "phone": number})
        api.says(call_id, HARMLESS)
        turn = api.says(call_id, wording)
        assert turn["reply"] == PHRASES.say.opt_out, wording
        assert turn["state"]["opted_out"], wording
        assert turn["ended"], wording
        assert turn["outcome"]["disposition"] == "do_not_call", wording
        listed = [one["number"] for one in api.get("/do-not-call", limit=200)["numbers"]]
        assert number in listed, wording


def test_no_injection_changes_anything_or_gets_anything_out(api: Api) -> None:
    neighbour = api.start(NEIGHBOUR)
    api.says(neighbour, "my email is bob dot neighbour at example dot com")
    kept = secrets(PLAYBOOK)
    harmless = api.start({"name": "Anna Miller", "phone": "+15005550006"})
    api.says(harmless, HARMLESS)
    unchanged = api.says(harmless, HARMLESS)["state"]
    for injection in INJECTIONS:
        call_id = api.start({"name": "Anna Miller", "phone": "+15005550006"})
        api.says(call_id, HARMLESS)
        turn = api.says(call_id, injection)
        assert turn["state"] == unchanged, injection
        assert not turn["ended"], injection
        heard = plain(turn["reply"])
        assert not [secret for secret in kept if secret in heard], (injection, turn["reply"])
        after = api.says(call_id, "how about Tuesday at three thirty")
        assert after["state"]["reading_back"] == "meeting", injection
    listed = [one["number"] for one in api.get("/do-not-call", limit=200)["numbers"]]
    assert "+15005550006" not in listed
