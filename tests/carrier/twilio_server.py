"""A small Twilio on a loopback socket, whose every answer a test chooses: done or not done, told or not told."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from telephony_agent.settings import TwilioSettings

SID = "AC" + "0" * 31 + "1"
TOKEN = "a token of the tests"
AGENT = "+15005550006"
CALLEE = "+12125550142"
ACCOUNT = TwilioSettings.model_validate({"account_sid": SID, "auth_token": f"{TOKEN}, an older one"})
ROOT = f"/2010-04-01/Accounts/{SID}"


class Step(StrEnum):
    """What happens to one request. The first group does what was asked, the second doesn't."""

    OK = "ok"
    DONE_CUT = "done, then the connection is cut"
    DONE_503 = "done, then 503"
    DONE_SLOW = "done, then silence"
    DONE_GARBAGE = "done, then a page of HTML"
    DONE_EMPTY = "done, then an empty object"

    CUT = "the connection is cut"
    CRASH = "500"
    SLOW = "silence"
    TOO_MANY = "429"
    BAD = "400"
    MOVED = "302"


_DONE = {Step.OK, Step.DONE_CUT, Step.DONE_503, Step.DONE_SLOW, Step.DONE_GARBAGE, Step.DONE_EMPTY}


@dataclass(slots=True)
class Seen:
    """A request: its path below the account, and its query or form."""

    method: str
    path: str
    fields: dict[str, list[str]]


@dataclass(slots=True)
class World:
    """What this Twilio knows, and what it will do with the next requests."""

    steps: deque[Step] = field(default_factory=deque)
    calls: list[dict[str, Any]] = field(default_factory=list)
    numbers: list[dict[str, Any]] = field(default_factory=list)
    recordings: list[dict[str, Any]] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    refusal: dict[str, Any] = field(default_factory=dict)
    retry_after: str = ""
    stubborn: frozenset[str] = frozenset()
    over: threading.Event = field(default_factory=threading.Event)
    asked_once: threading.Event = field(default_factory=threading.Event)
    """Set when a request has been read and, if it was to be, done."""

    def release(self) -> None:
        """End all silences, and let new ones begin."""
        self.over.set()
        self.over = threading.Event()

    def then(self, *steps: Step) -> None:
        """Say what happens to the next requests; all further ones are answered."""
        self.steps = deque(steps)

    def asked(self, method: str) -> list[str]:
        """List the paths that were asked by a method."""
        return [seen.path for seen in self.seen if seen.method == method]

    def add_call(self, age_s: float = 0.0, **changed: Any) -> str:
        """Let a call exist; return its SID."""
        sid = f"CA{len(self.calls) + 1:032x}"
        created = format_datetime(datetime.now(UTC) - timedelta(seconds=age_s))
        usual = {"sid": sid, "status": "in-progress", "to": CALLEE, "from": AGENT, "direction": "outbound-api"}
        self.calls.append({**usual, "date_created": created, "duration": None, "answered_by": None, **changed})
        return sid

    def add_number(self, number: str, *, voice: bool = True, **changed: Any) -> str:
        """Let the account have a number; return its SID."""
        sid = f"PN{len(self.numbers) + 1:032x}"
        usual = dict.fromkeys(("voice_fallback_url", "status_callback", "voice_application_sid", "trunk_sid"), "")
        methods = dict.fromkeys(("voice_method", "voice_fallback_method", "status_callback_method"), "POST")
        self.numbers.append(
            {
                "sid": sid,
                "phone_number": number,
                "friendly_name": f"line {len(self.numbers) + 1}",
                "capabilities": {"voice": voice, "sms": True},
                "voice_url": "https://before.example/voice",
                **usual,
                **methods,
                **changed,
            }
        )
        return sid

    def answer(self, seen: Seen) -> tuple[int, dict[str, Any]]:
        """Do what is asked."""
        match seen.method, seen.path.strip("/").removesuffix(".json").split("/"):
            case "POST", ["Calls"]:
                sid = self.add_call(0.0, status="queued", date_created=None, **_lower(seen.fields, ("To", "From")))
                return 201, self._called(sid)
            case "GET", ["Calls"]:
                wanted = _lower(seen.fields, ("To", "From"))
                return 200, {"calls": [call for call in self.calls if wanted.items() <= call.items()]}
            case "GET", ["Calls", sid] if self._called(sid):
                return 200, self._called(sid)
            case "POST", ["Calls", sid] if self._called(sid):
                return self._changed(self._called(sid), seen.fields)
            case "GET", ["IncomingPhoneNumbers"]:
                part = seen.fields.get("PhoneNumber", [""])[0]
                return 200, {"incoming_phone_numbers": [n for n in self.numbers if part in n["phone_number"]]}
            case "POST", ["IncomingPhoneNumbers", sid]:
                number = next(number for number in self.numbers if number["sid"] == sid)
                # Twilio's names are those of its form with underscores.
                changes = {_snake(name): values[0] for name, values in seen.fields.items()}
                number.update({name: value for name, value in changes.items() if name not in self.stubborn})
                return 200, number
            case "GET", ["Recordings"]:
                call_sid = seen.fields["CallSid"][0]
                return 200, {"recordings": [item for item in self.recordings if item["call_sid"] == call_sid]}
            case "DELETE", ["Recordings", sid] if any(item["sid"] == sid for item in self.recordings):
                self.recordings = [item for item in self.recordings if item["sid"] != sid]
                return 204, {}
        return 404, _error(20404, f"The requested resource {ROOT}{seen.path} was not found", 404)

    def _called(self, sid: str) -> dict[str, Any]:
        return next((call for call in self.calls if call["sid"] == sid), {})

    def _changed(self, call: dict[str, Any], form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        if call["status"] == "completed":
            return 400, _error(21220, "Call is not in-progress. Cannot redirect.", 400)
        call["status"] = form.get("Status", [call["status"]])[0]
        return 200, call


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        world = self.server.world
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        seen = Seen(self.command, url.path.removeprefix(ROOT), parse_qs(body or url.query, keep_blank_values=True))
        world.seen.append(seen)
        if self.headers["Authorization"] != "Basic " + base64.b64encode(f"{SID}:{TOKEN}".encode()).decode():
            return self._tell(401, _error(20003, "Authenticate", 401))
        step = world.steps.popleft() if world.steps else Step.OK
        status, answer = world.answer(seen) if step in _DONE else (0, {})
        over = world.over
        world.asked_once.set()
        match step:
            case Step.OK:
                return self._tell(status, answer)
            case Step.DONE_CUT | Step.CUT:
                return self._cut()
            case Step.DONE_SLOW | Step.SLOW:
                over.wait(10)
                return self._cut()
            case Step.DONE_GARBAGE:
                return self._tell(status, "<html>a proxy's own page</html>")
            case Step.DONE_EMPTY:
                return self._tell(status, {})
            case Step.DONE_503 | Step.CRASH:
                return self._tell(503 if step is Step.DONE_503 else 500, _error(20500, "An error occurred", 500))
            case Step.TOO_MANY:
                return self._tell(429, _error(20429, "Too Many Requests", 429))
            case Step.BAD:
                return self._tell(world.refusal.get("status", 400), world.refusal or _error(21211, "Invalid 'To'", 400))
            case Step.MOVED:
                return self._tell(302, {})

    def _tell(self, status: int, answer: dict[str, Any] | str) -> None:
        body = answer if isinstance(answer, str) else json.dumps(answer) if status != 204 else ""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body.encode())))
        if status == 429 and self.server.world.retry_after:
            self.send_header("Retry-After", self.server.world.retry_after)
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.end_headers()
        self.wfile.write(body.encode())

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


class _Server(ThreadingHTTPServer):
    world: World

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that has given up is part of the tests."""


@contextmanager
def twilio(world: World) -> Iterator[str]:
    """Serve a world; give the URL of its API."""
    server = _Server(("127.0.0.1", 0), _Request)
    server.world = world
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        world.release()
        server.shutdown()
        thread.join()
        server.server_close()


def _error(code: int, message: str, status: int) -> dict[str, Any]:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return {"code": code, "message": message, "more_info": more, "status": status}


def _lower(fields: dict[str, list[str]], names: Sequence[str]) -> dict[str, str]:
    return {name.lower(): fields[name][0] for name in names if name in fields}


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
