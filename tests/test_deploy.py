"""What is deployed agrees with what is there: the Dockerfile, compose.yaml and the unit in docs/deploy.md."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.routing import Route

from telephony_agent.carrier.twiml import TwimlDocuments
from telephony_agent.cli.main import app as commands
from telephony_agent.settings import ServerSettings, StoreSettings
from telephony_agent.web.app import create_app
from telephony_agent.web.site import Site

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def dockerfile() -> list[tuple[str, str]]:
    """Read the instructions of the Dockerfile, continued lines joined."""
    text = (CHECKOUT / "Dockerfile").read_text()
    lines = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines) if word]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((CHECKOUT / "compose.yaml").read_text())
    return read


def of(dockerfile: list[tuple[str, str]], word: str) -> list[str]:
    return [rest for found, rest in dockerfile if found == word]


def test_what_the_image_copies_exists_and_reaches_the_builder(dockerfile: list[tuple[str, str]]) -> None:
    allowed = {line[1:] for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    sources = {
        source for rest in of(dockerfile, "COPY") if not rest.startswith("--from") for source in shlex.split(rest)[:-1]
    }
    assert sources == allowed
    assert {source for source in sources if not (CHECKOUT / source).exists()} == set()


def test_the_package_finds_in_the_image_what_its_build_needs(dockerfile: list[tuple[str, str]]) -> None:
    needed = set(re.findall(r'(?:readme|license-files) = \[?"([^"]+)"', (CHECKOUT / "pyproject.toml").read_text()))
    copied = {source for rest in of(dockerfile, "COPY") for source in shlex.split(rest)[:-1]}
    assert needed | {"pyproject.toml", "telephony_agent", "twiml"} <= copied


def test_the_image_starts_a_command_that_there_is_and_gets_its_signals(dockerfile: list[tuple[str, str]]) -> None:
    [entry], [command] = of(dockerfile, "ENTRYPOINT"), of(dockerfile, "CMD")
    assert json.loads(entry) == ["telephony-agent"]
    names = {one.name or (one.callback.__name__ if one.callback else "") for one in commands.registered_commands}
    assert set(json.loads(command)) <= names
    assert of(dockerfile, "STOPSIGNAL") == ["SIGTERM"]


def test_the_image_runs_unprivileged_on_its_volume(dockerfile: list[tuple[str, str]]) -> None:
    assert of(dockerfile, "USER") == ["agent"]
    environment = " ".join(of(dockerfile, "ENV"))
    [volume] = of(dockerfile, "VOLUME")
    assert f"AGENT_DATA_DIR={volume}" in environment
    assert f"HF_HOME={volume}/models" in environment


def test_the_variables_of_image_and_compose_are_settings(
    dockerfile: list[tuple[str, str]], compose: dict[str, Any]
) -> None:
    known = {f"AGENT_{name}".upper() for kind in (ServerSettings, StoreSettings) for name in kind.model_fields}
    named = set(re.findall(r"\bAGENT_[A-Z_]+(?==)", " ".join(of(dockerfile, "ENV"))))
    assert named <= known
    assert set(compose["services"]["agent"]["environment"]) <= known


def test_the_health_check_asks_a_route_that_there_is(dockerfile: list[tuple[str, str]]) -> None:
    [check] = of(dockerfile, "HEALTHCHECK")
    [(port, path)] = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", check)
    routes = create_app(Site("https://agent.example", None, TwimlDocuments())).routes
    assert path in {route.path for route in routes if isinstance(route, Route)}
    assert of(dockerfile, "EXPOSE") == [port]


def test_compose_waits_for_the_database_and_lets_calls_take_leave(compose: dict[str, Any]) -> None:
    agent, database = compose["services"]["agent"], compose["services"]["database"]
    assert agent["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert agent["stop_grace_period"] == "60s"
    assert agent["ports"] == ["127.0.0.1:8080:8080"]
    assert database["healthcheck"]["test"][0] == "CMD"
    url = agent["environment"]["AGENT_DATABASE_URL"]
    assert re.fullmatch(r"postgresql://agent:\$\{POSTGRES_PASSWORD:\?[^}]+\}@database/agent", url)
    mounted = {volume.partition(":")[0] for service in (agent, database) for volume in service["volumes"]}
    assert mounted == compose["volumes"].keys()


def test_the_unit_of_the_docs_starts_the_server() -> None:
    text = (CHECKOUT / "docs" / "deploy.md").read_text()
    assert "ExecStart=/opt/telephony_agent/.venv/bin/telephony-agent serve" in text
    assert "TimeoutStopSec=60" in text
