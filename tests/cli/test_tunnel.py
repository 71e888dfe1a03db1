"""``telephony-agent serve --tunnel``: ngrok, or a program in its place, is started, asked for its address, stopped."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from telephony_agent.cli.tunnel import Order, ngrok_order, tunnelled
from telephony_agent.errors import SettingError
from telephony_agent.settings import Settings
from tests.cli.remembered import memory_in, run

EXAMPLE = Path(__file__).parents[2] / "ngrok.yml.example"
URL = "https://a-name.ngrok-free.dev"
LOG = ("--log", "stdout", "--log-format", "json")
NGROK = """#!{python}
import http.server, json, os, pathlib, sys

folder = pathlib.Path({folder!r})
(folder / "started").write_text(json.dumps([os.getpid(), *sys.argv[1:]]))
plan = json.loads((folder / "plan").read_text())
for line in plan["log"]:
    print(json.dumps(line), flush=True)
if plan["ends"]:
    sys.exit(1)


class Api(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({{"tunnels": plan["tunnels"]}}).encode()
        self.send_response(200 if self.path == "/api/tunnels" else 404)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Api)
address = "127.0.0.1:%d" % server.server_address[1]
print(json.dumps({{"addr": address, "lvl": "info", "msg": "starting web service", "obj": "web"}}), flush=True)
server.serve_forever()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Put a program named ngrok, and no other, where programs are found."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "ngrok"
    program.write_text(NGROK.format(python=sys.executable, folder=str(tmp_path)))
    program.chmod(0o755)
    with memory_in(tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(programs))
        plan(tmp_path)
        yield tmp_path


def plan(
    folder: Path, *, log: tuple[dict[str, str], ...] = (), ends: bool = False, addr: str = "http://localhost:8080"
) -> None:
    """Say what ngrok will do."""
    tunnels = [
        {"name": "other", "public_url": "https://other.example", "proto": "https", "config": {"addr": "localhost:9"}},
        {"name": "command_line", "public_url": URL, "proto": "https", "config": {"addr": addr, "inspect": True}},
    ]
    (folder / "plan").write_text(json.dumps({"log": log, "ends": ends, "tunnels": tunnels}))


def started(folder: Path) -> tuple[int, list[str]]:
    """Return the process that ran as ngrok, and its arguments."""
    pid, *arguments = json.loads((folder / "started").read_text())
    return pid, arguments


def opened() -> str:
    with tunnelled(Settings()) as settings:
        return settings.server.public_url


def filled_in(folder: Path, **changes: str) -> Path:
    file = folder / "ngrok.yml"
    text = EXAMPLE.read_text().replace("YOUR_NGROK_AUTHTOKEN", "a token").replace("YOUR-DOMAIN", "a-name")
    for old, new in changes.items():
        text = text.replace(old, new)
    file.write_text(text)
    return file


def test_the_public_url_of_this_run_is_the_tunnels(folder: Path) -> None:
    with tunnelled(Settings()) as settings:
        assert settings.server.public_url == URL
        pid, arguments = started(folder)
        os.kill(pid, 0)
        assert arguments == ["http", "8080", *LOG]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_tunnel_is_stopped_when_serving_fails(folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), tunnelled(Settings()):
        raise ZeroDivisionError
    with pytest.raises(ProcessLookupError):
        os.kill(started(folder)[0], 0)


def test_the_endpoint_of_the_projects_file_is_started(folder: Path) -> None:
    filled_in(folder)
    assert opened() == URL
    assert started(folder)[1] == ["start", "telephony-agent", "--config", "ngrok.yml", *LOG]


def test_without_a_file_a_fixed_address_is_asked_for() -> None:
    order = ngrok_order(8080, "https://agent.example", Path("ngrok.yml"))
    assert order == Order(("http", "8080", "--url", "https://agent.example", *LOG))


def test_a_server_that_cannot_start_leaves_no_tunnel_behind(folder: Path) -> None:
    with pytest.raises(SettingError, match="TWILIO_AUTH_TOKEN"):
        run("serve", "--tunnel")
    with pytest.raises(ProcessLookupError):
        os.kill(started(folder)[0], 0)


def test_ngrok_that_is_not_installed_is_told_with_how_to_install_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(SettingError, match=r"ngrok is not installed; install it from ngrok\.com/download"):
        run("serve", "--tunnel")


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("authentication failed: not authenticated.\n\nERR_NGROK_4018\r\n", "copy it from ngrok's dashboard"),
        ("failed: ERR_NGROK_334", "stop the other ngrok"),
        ("failed: ERR_NGROK_320", "shows under Domains"),
        ("something new", "something new; `ngrok config check`"),
    ],
)
def test_ngrok_that_ends_is_told_with_the_fix(folder: Path, said: str, fix: str) -> None:
    quiet = {"err": "<nil>", "lvl": "info", "msg": "open config file"}
    plan(folder, log=(quiet, {"err": said, "lvl": "eror", "msg": "failed to reconnect session"}), ends=True)
    with pytest.raises(SettingError, match="ngrok ended: ") as caught:
        opened()
    assert fix in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_tunnel_that_never_opens_is_told_in_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telephony_agent.cli.tunnel.READY_WITHIN_S", 0.5)
    plan(folder, addr="http://localhost:1")
    began_at = time.monotonic()
    with pytest.raises(SettingError, match="opened no tunnel within"):
        opened()
    assert time.monotonic() - began_at < 10


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"a token": "YOUR_NGROK_AUTHTOKEN"}, "agent.authtoken is still the example's"),
        ({"url: 8080": "url: 9090"}, "no endpoint has AGENT_PORT=8080"),
        ({"endpoints:": "tunnels:"}, "compare it with ngrok.yml.example"),
        ({"version: 3": "version: ["}, "compare it with ngrok.yml.example"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_with_the_key(folder: Path, changes: dict[str, str], problem: str) -> None:
    file = filled_in(folder, **changes)
    with pytest.raises(SettingError) as caught:
        ngrok_order(8080, "", file)
    assert problem in str(caught.value)


def test_the_example_has_the_keys_of_ngroks_version_3() -> None:
    example = yaml.safe_load(EXAMPLE.read_text())
    assert example.keys() == {"version", "agent", "endpoints"}
    assert example["version"] == 3
    assert example["agent"].keys() == {"authtoken"}
    [endpoint] = example["endpoints"]
    assert endpoint.keys() == {"name", "url", "upstream"}
    assert endpoint["upstream"] == {"url": Settings().server.port}
    assert endpoint["url"].startswith("https://")
