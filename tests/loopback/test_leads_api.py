"""Leads through the real server's API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from telephony_agent.web.body import JSON_LIMIT
from telephony_agent.web.leads import CSV_LIMIT
from tests.loopback.agent import API_TOKEN, Agent, Parts, running

ANNA = "+15005550006"
BEN = "+12125550142"
CONSENT = {"basis": "inquiry", "text": "I asked for a call.", "at": "2026-03-01T09:00:00+01:00"}


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with running(Parts(data_dir=tmp_path_factory.mktemp("leads"))) as agent:
        yield agent


@pytest.fixture(autouse=True)
def no_leads(agent: Agent) -> Iterator[None]:
    yield
    for one in api(agent, "GET", "").json()["leads"]:
        api(agent, "DELETE", f"/{one['id']}")


def api(agent: Agent, method: str, path: str, **given: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    return httpx.request(method, f"{agent.url}/api/v1/leads{path}", headers=headers, trust_env=False, **given)


def added(agent: Agent, **changes: Any) -> dict[str, Any]:
    answer = api(agent, "POST", "", json={"name": "Anna Miller", "phone": ANNA, **changes})
    assert answer.status_code == 201, answer.text
    lead: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/api/v1/leads/{lead['id']}"
    return lead


def test_a_lead_is_told_as_it_was_entered(agent: Agent) -> None:
    given = {"phone": "+1 (500) 555-0006", "zone": "America/New_York", "consent": CONSENT, "objections": ["price"]}
    lead = added(agent, **given, extra={"Region": "West"})
    assert api(agent, "GET", f"/{lead['id']}").json() == lead
    assert (lead["name"], lead["phone"], lead["zone"]) == ("Anna Miller", ANNA, "America/New_York")
    assert lead["consent"] == {**CONSENT, "at": "2026-03-01T08:00:00Z"}
    assert (lead["objections"], lead["extra"]) == (["price"], {"Region": "West"})
    assert (lead["last_outcome"], lead["next_callback"], lead["do_not_call"]) == ("", None, False)


def test_what_is_put_replaces_all_that_was_entered(agent: Agent) -> None:
    lead = added(agent, company="Acme", notes="likes tea")
    put = api(agent, "PUT", f"/{lead['id']}", json={"name": "Anna Moore", "phone": BEN, "company": "Acme"})
    assert put.status_code == 200
    assert put.json() == {
        **lead,
        "name": "Anna Moore",
        "phone": BEN,
        "notes": "",
        "updated_at": put.json()["updated_at"],
    }


def test_a_deleted_lead_is_unknown(agent: Agent) -> None:
    lead = added(agent)
    assert api(agent, "DELETE", f"/{lead['id']}").status_code == 204
    for method, given in (("GET", {}), ("DELETE", {}), ("PUT", {"json": {"name": "Anna", "phone": ANNA}})):
        assert api(agent, method, f"/{lead['id']}", **given).status_code == 404
    assert api(agent, "GET", f"/{10**30}").status_code == 404


def test_a_number_has_one_lead(agent: Agent) -> None:
    added(agent)
    ben = added(agent, name="Ben", phone=BEN)
    again = {"name": "Anna", "phone": ANNA}
    for answer in (api(agent, "POST", "", json=again), api(agent, "PUT", f"/{ben['id']}", json=again)):
        assert answer.status_code == 409
        assert "another lead" in answer.json()["error"]


def test_leads_are_listed_by_pages_and_filters(agent: Agent) -> None:
    added(agent, source="fair")
    added(agent, name="Ben", phone=BEN, company="Acme")
    first = api(agent, "GET", "", params={"limit": 1}).json()
    second = api(agent, "GET", "", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [one["name"] for page in (first, second) for one in page["leads"]] == ["Anna Miller", "Ben"]
    assert second["next_cursor"] is None
    for params, names in (
        ({"text": "acm"}, ["Ben"]),
        ({"source": "fair"}, ["Anna Miller"]),
        ({"do_not_call": "true"}, []),
        ({"last_outcome": "callback"}, []),
        ({"callback_until": "2026-03-01T00:00:00Z"}, []),
    ):
        found = api(agent, "GET", "", params=params).json()["leads"]
        assert [one["name"] for one in found] == names, params


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"phone": "555-0106"}, "E.164"),
        ({"name": "  "}, "name"),
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"zone": "../etc/passwd"}, "zone"),
        ({"consent": {"basis": "hearsay"}}, "consent.basis"),
        ({"consent": {"basis": "written", "at": "2026-03-01T09:00:00"}}, "consent.at"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_can_be_no_lead_is_refused_with_what_is_wrong(agent: Agent, changes: dict[str, Any], named: str) -> None:
    answer = api(agent, "POST", "", json={"name": "Anna", "phone": ANNA, **changes})
    assert answer.status_code == 422
    assert named in answer.json()["error"]


def test_an_import_tells_of_every_row(agent: Agent) -> None:
    added(agent)
    file = f"Name;Phone;Region\nBen;{BEN};West\nAnna;{ANNA};\nCarl;555;\n;{BEN};\n"
    answer = api(agent, "POST", "/import", content=file.encode(), params={"source": "fair"})
    assert answer.status_code == 200
    (ben,) = answer.json()["added"]
    refused = {row["line"]: row["reason"] for row in answer.json()["refused"]}
    assert sorted(refused) == [3, 4, 5]
    assert "has this number" in refused[3]
    assert "E.164" in refused[4]
    lead = api(agent, "GET", f"/{ben}").json()
    assert (lead["source"], lead["extra"]) == ("fair", {"Region": "West"})


def test_a_file_that_is_no_list_of_leads_adds_nothing(agent: Agent) -> None:
    for data, reason in ((b"", "empty"), (b"colour\nred\n", "no column for name and phone"), (b"\0\1", "no text")):
        answer = api(agent, "POST", "/import", content=data)
        assert answer.status_code == 422
        assert reason in answer.json()["error"]
    assert api(agent, "GET", "").json()["leads"] == []


def test_a_body_that_is_too_long_is_not_read(agent: Agent) -> None:
    for path, limit in (("/import", CSV_LIMIT), ("", JSON_LIMIT)):
        answer = api(agent, "POST", path, content=iter([b"x" * limit, b"x"]))
        assert answer.status_code == 413
        assert str(limit) in answer.json()["error"]


def test_leads_are_for_the_bearer_of_the_token(agent: Agent) -> None:
    for path in ("", "/1"):
        assert httpx.get(f"{agent.url}/api/v1/leads{path}", trust_env=False).status_code == 401
    assert httpx.post(f"{agent.url}/api/v1/leads/import", trust_env=False).status_code == 401


def test_the_health_page_tells_of_the_recorder_when_asked_at_length(agent: Agent) -> None:
    assert httpx.get(f"{agent.url}/healthz", trust_env=False).text == "ok"
    recorder = {"healthy": True, "pending": 0, "lost": 0, "refused": 0}
    told = httpx.get(f"{agent.url}/healthz?verbose", trust_env=False).json()
    assert told == {"ready": True, "recorder": recorder}
