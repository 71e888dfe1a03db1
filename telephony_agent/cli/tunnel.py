"""``telephony-agent serve --tunnel``: ngrok, started for one run, and the public URL that it gave us.

With an ``ngrok.yml`` in the current folder (see ``ngrok.yml.example``) its endpoint is started; else one to AGENT_PORT,
at AGENT_PUBLIC_URL if that is set. ngrok's log tells where its local API listens, and why it failed; the API tells the
public URL.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import IO, Any, NoReturn
from urllib.parse import urlsplit

import httpx
import yaml
from loguru import logger

from telephony_agent.errors import SettingError
from telephony_agent.settings import Settings

CONFIG = Path("ngrok.yml")
API = "127.0.0.1:4040"
"""Where ngrok's API listens unless that is taken or ``agent.web_addr`` says otherwise."""
READY_WITHIN_S = 20.0
STOP_WITHIN_S = 5.0
_POLL_S = 0.1
_ERROR = re.compile(r"ERR_NGROK_\d+")
_AUTHTOKEN = (
    "copy it from ngrok's dashboard, Your Authtoken, to agent.authtoken in ngrok.yml, or run "
    "`ngrok config add-authtoken TOKEN`"
)
_DOMAIN = (
    "give the endpoint's url in ngrok.yml (or AGENT_PUBLIC_URL) the domain that ngrok's dashboard shows under Domains"
)
_FIXES: Mapping[str, str] = MappingProxyType(
    {
        "ERR_NGROK_105": f"the authtoken is not one: {_AUTHTOKEN}",
        "ERR_NGROK_106": f"the authtoken is an old one: {_AUTHTOKEN}",
        "ERR_NGROK_107": f"the authtoken is not valid any more: {_AUTHTOKEN}",
        "ERR_NGROK_108": "the account has as many ngrok agents as it may: stop another one",
        "ERR_NGROK_319": f"the domain is not this account's: {_DOMAIN}",
        "ERR_NGROK_320": f"the domain is not this account's: {_DOMAIN}",
        "ERR_NGROK_334": "the domain is in use: stop the other ngrok that serves it",
        "ERR_NGROK_4018": f"ngrok has no authtoken: {_AUTHTOKEN}",
    }
)
"""By ngrok's own numbers (ngrok.com/docs/errors)."""


@dataclass(frozen=True, slots=True)
class Order:
    """How ngrok is started; ``name`` is the endpoint's, and empty for one that no file describes."""

    arguments: tuple[str, ...]
    name: str = ""


@contextmanager
def tunnelled(settings: Settings) -> Iterator[Settings]:
    """Run ngrok for the length of a block; give the settings with its public URL.

    Raises:
        SettingError: it is not installed, not set up, or gave no address; the message says what to do.
    """
    program = shutil.which("ngrok")
    if program is None:
        raise SettingError(
            "--tunnel: ngrok is not installed; install it from ngrok.com/download, or start another tunnel and set "
            "AGENT_PUBLIC_URL to its address (docs/deploy.md tells how with cloudflared)"
        )
    order = ngrok_order(settings.server.port, settings.server.public_url, CONFIG)
    with tempfile.TemporaryFile() as log, _running((program, *order.arguments), log) as process:
        url = _public_url(process, lambda: _events(log), order, settings.server.port)
        logger.bind(url=url).info("The tunnel is open")
        yield Settings(AGENT_PUBLIC_URL=url)


def ngrok_order(port: int, public_url: str, config: Path) -> Order:
    """Say how ngrok is started.

    Raises:
        SettingError: the file can't be used, or has no endpoint to this port.
    """
    log = ("--log", "stdout", "--log-format", "json")
    if not port:
        raise SettingError("AGENT_PORT=0: a tunnel needs to know the port; allowed with --tunnel: 1 to 65535")
    if not config.is_file():
        fixed = ("--url", public_url) if public_url.startswith("https://") else ()
        return Order(("http", str(port), *fixed, *log))
    try:
        read = yaml.safe_load(config.read_text(encoding="utf-8"))
        names = [str(item["name"]) for item in read["endpoints"] if _port(item["upstream"]["url"]) == port]
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError) as error:
        raise SettingError(
            f"{config}: can't be used ({type(error).__name__}); compare it with ngrok.yml.example"
        ) from (error)
    if "YOUR" in str((read.get("agent") or {}).get("authtoken")):
        raise SettingError(f"{config}: agent.authtoken is still the example's; copy yours from ngrok's dashboard")
    if not names:
        raise SettingError(f"{config}: no endpoint has AGENT_PORT={port} as upstream.url; compare ngrok.yml.example")
    return Order(("start", names[0], "--config", str(config), *log), names[0])


def _port(upstream: object) -> int | None:
    """Read the port of ``8080``, ``localhost:8080`` or ``http://localhost:8080``."""
    text = str(upstream)
    return int(text) if text.isdecimal() else urlsplit(text if "://" in text else f"//{text}").port


@contextmanager
def _running(command: Sequence[str], log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    # A Ctrl-C is for us alone: the calls take leave through the tunnel. And a second SIGTERM must not leave it behind.
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield process
    finally:
        signal.signal(signal.SIGTERM, before)
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _events(log: IO[bytes]) -> list[dict[str, Any]]:
    """Read what ngrok has logged so far; a line that is no JSON is a message."""
    log.seek(0)
    events: list[dict[str, Any]] = []
    for line in log.read().decode("utf-8", "replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            event = {"err": line}
        events.append(event if isinstance(event, dict) else {"err": line})
    return events


def _public_url(
    process: subprocess.Popen[bytes], events: Callable[[], list[dict[str, Any]]], order: Order, port: int
) -> str:
    """Wait for the tunnel and return its address.

    Raises:
        SettingError: ngrok ended, or there was none in time.
    """
    deadline = time.monotonic() + READY_WITHIN_S
    with httpx.Client(trust_env=False, timeout=2.0) as client:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise SettingError(f"--tunnel: ngrok ended: {_reason(events())}")
            serving = [event.get("addr") for event in events() if event.get("msg") == "starting web service"]
            if serving and (url := _told(client, str(serving[-1] or API), order, port)):
                return url
            time.sleep(_POLL_S)
    raise SettingError(f"--tunnel: ngrok opened no tunnel within {READY_WITHIN_S:.0f} s: {_reason(events())}")


def _told(client: httpx.Client, api: str, order: Order, port: int) -> str:
    """Ask ngrok's API for the https address of our tunnel; empty while there is none."""
    try:
        tunnels = client.get(f"http://{api}/api/tunnels").json()["tunnels"]
        for tunnel in tunnels:
            ours = tunnel["name"] == order.name or _port(tunnel["config"]["addr"]) == port
            if ours and str(tunnel["public_url"]).startswith("https://"):
                return str(tunnel["public_url"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return ""
    return ""


def _reason(events: Sequence[Mapping[str, Any]]) -> str:
    """Find out of ngrok's log what to do."""
    said = [str(event["err"]) for event in events if event.get("err") not in (None, "", "<nil>", "nil")]
    text = " ".join(" ".join(said).split())
    code = found[0] if (found := _ERROR.search(text)) else ""
    return _FIXES.get(code, f"{text[-300:] or 'it said nothing'}; `ngrok config check` looks at its settings")
