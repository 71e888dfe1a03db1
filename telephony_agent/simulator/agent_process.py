"""The agent in a process of its own, for a simulation: started, waited for, stopped."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import httpx

from telephony_agent.errors import TelephonyAgentError
from telephony_agent.simulator.parties import made_up_sid

PUBLIC_URL: Final = "https://agent.example"
"""What the agent is told to be its address; nothing outside this machine is ever asked for it."""

SERVE: Final = ("-m", "telephony_agent", "serve")

_LOG_LINES: Final = 15
_POLL_S: Final = 0.2
_STOP_S: Final = 15.0


class AgentStartError(TelephonyAgentError):
    """The agent did not get ready; the message ends with the last lines of its log."""

    code = "agent_start"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Secrets that the agent and its twin share for one simulation, made up at random."""

    account_sid: str = field(default_factory=lambda: made_up_sid("AC"))
    auth_token: str = field(default_factory=lambda: secrets.token_hex(16))
    api_token: str = field(default_factory=lambda: secrets.token_hex(16))


@dataclass(frozen=True, slots=True)
class RunningAgent:
    """A ready agent: where it listens, and the file that it logs to."""

    url: str
    log: Path

    def last_lines(self) -> str:
        """Give the end of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LOG_LINES:])


@asynccontextmanager
async def running_agent(
    credentials: Credentials,
    *,
    settings: Mapping[str, str] | None = None,
    ready_within_s: float = 120.0,
    command: Sequence[str] = SERVE,
) -> AsyncIterator[RunningAgent]:
    """Run ``telephony-agent serve`` on a free loopback port for the length of a ``with`` block.

    ``command`` is what Python runs instead, which must do the same.

    Settings of the environment go through, so that models and playbook can be chosen; ``settings`` take precedence
    over them. ``AGENT_MODELS`` is ``pocket`` unless set, and then no model hub is asked.

    Raises:
        AgentStartError: it ended before it was ready, or was not ready in time.
    """
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="telephony-agent-") as folder:
        agent = RunningAgent(f"http://127.0.0.1:{port}", Path(folder) / "agent.log")
        with agent.log.open("wb") as log:
            process = await _start(command, port, credentials, {**kept_apart(folder), **(settings or {})}, log)
            try:
                await _wait_until_ready(process, agent, ready_within_s)
                yield agent
            finally:
                await _stop(process)


def kept_apart(folder: str) -> Mapping[str, str]:
    """Return the settings of a trial: it leaves nothing in what the user's own agent remembers, and tells nobody.

    No value is empty, for then the one of ``.env`` would count.
    """
    return {
        "AGENT_DATA_DIR": folder,
        "AGENT_DATABASE_URL": f"sqlite:///{folder}/telephony_agent.db",
        "AGENT_OUTCOME_WEBHOOK": "off",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _start(
    command: Sequence[str], port: int, credentials: Credentials, settings: Mapping[str, str], log: IO[bytes]
) -> asyncio.subprocess.Process:
    chosen = {**os.environ, **settings}
    models = chosen.get("AGENT_MODELS") or "pocket"
    environment = {
        **chosen,
        "AGENT_MODELS": models,
        "AGENT_HOST": "127.0.0.1",
        "AGENT_PORT": str(port),
        "AGENT_PUBLIC_URL": PUBLIC_URL,
        "TWILIO_ACCOUNT_SID": credentials.account_sid,
        "TWILIO_AUTH_TOKEN": credentials.auth_token,
        "AGENT_API_TOKEN": credentials.api_token,
        **({"HF_HUB_OFFLINE": "1"} if models == "pocket" else {}),
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )


async def _wait_until_ready(process: asyncio.subprocess.Process, agent: RunningAgent, within_s: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_s
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        while loop.time() < deadline:
            if process.returncode is not None:
                problem = f"the agent ended with code {process.returncode} before it was ready"
                raise AgentStartError(f"{problem}:\n{agent.last_lines()}")
            if await _is_ready(client, agent.url):
                return
            await asyncio.sleep(_POLL_S)
    raise AgentStartError(f"the agent was not ready within {within_s:.0f} s:\n{agent.last_lines()}")


async def _is_ready(client: httpx.AsyncClient, url: str) -> bool:
    try:
        response = await client.get(f"{url}/readyz")
    except httpx.TransportError:
        return False
    return response.status_code == httpx.codes.OK


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()
