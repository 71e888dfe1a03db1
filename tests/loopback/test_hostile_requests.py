"""Requests that are odd, endless or none at all, on the real server: they are refused, and nothing is at fault."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle

import httpx
import pytest
from starlette.routing import Route

from telephony_agent.web.app import create_app
from tests.loopback.agent import Agent, Parts, running
from tests.loopback.client import PATIENCE_S, call_sid, post
from tests.loopback.siege import AUTHORIZED, besieged

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with besieged() as agent:
        yield agent


def test_no_request_to_any_route_is_answered_with_a_fault(remembering: Agent) -> None:
    routes = [route for route in create_app(remembering.site).routes if isinstance(route, Route)]
    assert len(routes) > 20
    methods: dict[str, set[str]] = {}
    for route in routes:
        methods.setdefault(route.path, set()).update(route.methods or ())
    faults = []
    with httpx.Client(base_url=remembering.url, trust_env=False, timeout=PATIENCE_S, headers=AUTHORIZED) as client:
        for route in routes:
            for request in odd_requests(client, route):
                answer = client.send(request)
                if answer.status_code == 500 or (request.method not in methods[route.path] and answer.is_success):
                    faults.append((request.method, str(request.url)[:200], answer.status_code))
    assert faults == []


@pytest.fixture(scope="module")
def remembering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with running(Parts(data_dir=tmp_path_factory.mktemp("data"), max_calls=0)) as agent:
        yield agent


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
CONTENT_TYPES = ("", "text/csv", "multipart/form-data", "application/xml", "application/json; charset=utf-16", "\xff")
BODIES = (
    b"",
    b"\x00",
    b"\xff\xfe",
    b"{}",
    b"[" * 50_000,
    b'{"lead": {"name": "\\ud800", "phone": "+15005550006"}, "channel": "text"}',
    b'{"text": 5, "number": "\\u0000", "lead_id": 1e400}',
    b"phone,name\n" + b'"' * 1000,
    b"x" * 70_000,
)
SEGMENTS = ("x", "0", "9" * 3000, "%00", "%ff", "%F0%9F%98%80", "..%2f..%2fetc", "CA" + "0" * 32)
QUERIES = (
    "",
    "limit=9999999999999999999999",
    "limit=-1&cursor=%00&since=%ff",
    "x=" + "y" * 3500,
    "&".join("a=1" for _ in range(900)),
)


def odd_requests(client: httpx.Client, route: Route) -> Iterator[httpx.Request]:
    """Yield requests to a route with each method, body, type, query and path that is odd."""
    paths = [re.sub(r"\{[^}]*\}", segment, route.path) for segment in SEGMENTS]
    usual = paths[0]
    for method in METHODS:
        yield client.build_request(method, usual)
    for method in sorted(route.methods or ()):
        for path in dict.fromkeys(paths):
            yield client.build_request(method, path)
        for query in QUERIES:
            yield client.build_request(method, f"{usual}?{query}")
        if method in ("POST", "PUT"):
            for body, kind in zip(BODIES, cycle(CONTENT_TYPES), strict=False):
                yield client.build_request(
                    method, usual, content=body, headers={b"Content-Type": kind.encode("latin-1")}
                )


FORMS: tuple[dict[str, str], ...] = (
    {},
    {"CallSid": ""},
    {"CallSid": "x" * 10_000},
    {"CallSid": "\x00\ufffd", "From": "\x00", "To": "😀", "Direction": "sideways"},
    {"CallSid": call_sid(), "CallStatus": "completed", "SequenceNumber": "9" * 5000},
    {"CallSid": call_sid(), "CallStatus": "odd", "SequenceNumber": "१"},
    {"CallSid": call_sid(), "DialCallStatus": "odd", "Digits": "9" * 5000},
)


@pytest.mark.parametrize("form", FORMS, ids=range(len(FORMS)))
def test_no_signed_form_is_answered_with_a_fault(remembering: Agent, form: dict[str, str]) -> None:
    paths = [route.path for route in create_app(remembering.site).routes if isinstance(route, Route)]
    webhooks = [path for path in paths if path.startswith("/twilio/")]
    assert len(webhooks) >= 4
    for path in webhooks:
        assert post(remembering, path, form).status_code in (200, 204, 400, 404), path


def raw(agent: Agent, request: bytes) -> bytes:
    """Send bytes; return the first line of the answer."""
    with socket.create_connection(("127.0.0.1", int(agent.url.rsplit(":", 1)[1])), PATIENCE_S) as peer:
        peer.sendall(request)
        return peer.makefile("rb").readline()


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", 431),
        (b"GET /healthz HTTP/1.1\r\n" + b"X: x\r\n" * 20_000, 431),
        (b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 500_000, 431),
        (b"GET /healthz?" + b"x" * 5000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /api/v1/leads/" + b"9" * 5000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"POST /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnot hex\r\n", 400),
        (b"POST /healthz HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET http://[/ HTTP/1.1\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"GET /healthz HTTP/9.9\r\n\r\n", 400),
    ],
)
def test_a_request_that_is_no_request_is_refused(agent: Agent, request_bytes: bytes, status: int) -> None:
    assert raw(agent, request_bytes).split(b" ")[1:2] == [str(status).encode()]
    assert httpx.get(f"{agent.url}/healthz", trust_env=False).status_code == 200


def test_a_body_that_does_not_end_is_cut(agent: Agent) -> None:
    head = b"POST /twilio/voice HTTP/1.1\r\nHost: agent\r\nX-Twilio-Signature: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", int(agent.url.rsplit(":", 1)[1])), PATIENCE_S) as peer:
        peer.sendall(head)
        with suppress(ConnectionError):
            while sent < 2**27:
                peer.sendall(chunk)
                sent += len(chunk)
        assert sent < 2**27, "it was read to its end"
