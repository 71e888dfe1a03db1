"""Several workers behind one port, as a program: ``telephony-agent serve --workers N``, with scripted engines."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time

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


def starts_once(settings: Settings, worker: Worker, listener: socket.socket) -> None:
    """Serve for a while, the first time; can't start the second time; tell the server to stop the third time."""
    noted = settings.store.data_dir / "starts"
    starts = len(noted.read_text()) if noted.exists() else 0
    noted.write_text("x" * (starts + 1))
    if starts == 0:
        time.sleep(3)
    elif starts == 1:
        raise SettingError("the database is away for a moment")
    else:
        os.kill(os.getppid(), signal.SIGTERM)
        time.sleep(5)


if __name__ == "__main__":
    set_up_logging("INFO", as_json=True)
    Workers(Settings(), int(sys.argv[1]), work).run()
