"""Several workers behind one port, as a program: ``telephony-agent serve --workers N``, with scripted engines."""

from __future__ import annotations

import socket
import sys

from scripts.call_bench.server import scripted_room
from telephony_agent.cli.serve import AgentServer
from telephony_agent.cli.workers import Workers
from telephony_agent.errors import SettingError
from telephony_agent.settings import Settings
from telephony_agent.telemetry import set_up_logging
from telephony_agent.web.siblings import Worker


def work(settings: Settings, worker: Worker, listener: socket.socket) -> None:
    """Be one of the workers."""
    set_up_logging(settings.log.log_level.value, as_json=settings.log.log_json)
    server = AgentServer(settings, scripted_room, worker=worker, listener=listener)
    server.run()
    if server.failure is not None:
        raise server.failure


def cant_start(settings: Settings, worker: Worker, listener: socket.socket) -> None:
    """Be a worker that has no models."""
    raise SettingError("AGENT_MODELS='none': there are no such models")


if __name__ == "__main__":
    set_up_logging("INFO", as_json=True)
    Workers(Settings(), int(sys.argv[1]), work).run()
