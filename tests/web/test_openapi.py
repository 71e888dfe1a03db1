"""The API's document: every route is in it, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from telephony_agent.carrier.twiml import TwimlDocuments
from telephony_agent.web.app import create_app
from telephony_agent.web.openapi import PREFIX
from telephony_agent.web.operations import OPERATIONS
from telephony_agent.web.site import Site

TOKEN = {"Authorization": "Bearer an-api-token-of-the-tests"}


def ask(app: Starlette, headers: dict[str, str]) -> httpx.Response:
    """Ask the application for its document, without a socket."""

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="https://agent.example") as client:
            return await client.get(f"{PREFIX}/openapi.json", headers=headers)

    return asyncio.run(get())


@pytest.fixture(scope="module")
def app() -> Starlette:
    return create_app(Site("https://agent.example", None, TwimlDocuments(), api_token="an-api-token-of-the-tests"))


@pytest.fixture(scope="module")
def told(app: Starlette) -> dict[str, Any]:
    answer = ask(app, TOKEN)
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


def served(app: Starlette) -> set[tuple[str, str]]:
    """Return every method and path of the API that the application answers."""
    routes = [route for route in app.routes if isinstance(route, Route) and route.path.startswith(PREFIX)]
    return {
        (method, route.path_format.removeprefix(PREFIX)) for route in routes for method in (route.methods or set())
    } - {("HEAD", route.path_format.removeprefix(PREFIX)) for route in routes}


def references(value: Any) -> Iterator[str]:
    match value:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for item in value.values():
                yield from references(item)
        case list():
            for item in value:
                yield from references(item)


def test_every_route_and_method_of_the_api_is_in_its_document(app: Starlette, told: dict[str, Any]) -> None:
    described = {
        (method.upper(), path.removeprefix(PREFIX)) for path, methods in told["paths"].items() for method in methods
    }
    assert described == served(app)


def test_every_operation_says_what_it_takes_and_none_is_of_a_route_that_is_gone(app: Starlette) -> None:
    """A route that is new needs a line in ``telephony_agent/web/operations.py``."""
    assert set(OPERATIONS) == served(app)


def test_the_document_refers_only_to_what_it_holds(told: dict[str, Any]) -> None:
    assert told["openapi"].startswith("3.1")
    found = set(references(told))
    assert {f"#/components/schemas/{name}" for name in told["components"]["schemas"]} >= found
    assert "#/components/schemas/LeadBody" in found


def test_operations_have_names_of_their_own(told: dict[str, Any]) -> None:
    names = [operation["operationId"] for methods in told["paths"].values() for operation in methods.values()]
    assert len(set(names)) == len(names)


def test_parameters_are_told_with_what_they_may_be(told: dict[str, Any]) -> None:
    (lead_id,) = told["paths"][f"{PREFIX}/leads/{{lead_id}}"]["get"]["parameters"]
    assert lead_id == {"name": "lead_id", "in": "path", "required": True, "schema": {"type": "integer"}}
    query = {one["name"]: one for one in told["paths"][f"{PREFIX}/calls"]["get"]["parameters"]}
    assert query["direction"]["schema"] == {"type": "string", "pattern": "^(inbound|outbound)$"}
    (_, reason) = told["paths"][f"{PREFIX}/do-not-call/{{number}}"]["delete"]["parameters"]
    assert reason["required"]


def test_what_is_no_json_is_told_by_its_media_type(told: dict[str, Any]) -> None:
    answer = told["paths"][f"{PREFIX}/calls/{{call_id}}/recording"]["get"]["responses"]["200"]
    assert answer["content"] == {"audio/wav": {}}


def test_all_json_that_the_api_answers_has_a_model_but_this_document(told: dict[str, Any]) -> None:
    bare = {
        path
        for path, methods in told["paths"].items()
        for operation in methods.values()
        for answer in operation["responses"].values()
        if answer.get("content", {}).get("application/json", {}).get("schema") == {"type": "object"}
    }
    assert bare == {f"{PREFIX}/openapi.json"}


def test_the_document_is_for_the_bearer_of_the_token(app: Starlette) -> None:
    assert ask(app, {}).status_code == 401
