"""The checks of the way in: the port, the public URL, what it leads to, signatures, the media stream's upgrade.

Without a server on the port, the doctor serves the same application itself while it looks from outside: without models,
so it takes no call, but with the same doors.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import urlsplit

import httpx
import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus

from telephony_agent.carrier.signature import SignatureCheck
from telephony_agent.carrier.twiml import TwimlDocuments
from telephony_agent.cli.doctor.finding import Finding, ok, warning, wrong
from telephony_agent.cli.doctor.patient import Patient, Serving
from telephony_agent.cli.number import FALLBACK_PATH
from telephony_agent.settings import ServerSettings
from telephony_agent.simulator import Parties
from telephony_agent.simulator.signing import sign, signed_url
from telephony_agent.web.app import create_app
from telephony_agent.web.identity import WELL_KNOWN, proof
from telephony_agent.web.server import server_config
from telephony_agent.web.site import Site

MEDIA_PATH = "/twilio/media"
_TIMEOUT_S = 6.0
_PORT_TAKEN = "stop that program (`ss -ltnp` names it), or set AGENT_PORT to a free port and the tunnel to the same"
_NO_TUNNEL = (
    "start the tunnel: `telephony-agent serve --tunnel`, or `ngrok start telephony-agent --config ngrok.yml`; "
    "and compare AGENT_PUBLIC_URL with its address"
)
_WRONG_TUNNEL = "let the tunnel lead to AGENT_PORT on this machine: `telephony-agent serve --tunnel` does"
_RESTART = "restart `telephony-agent serve`, so that it has the AGENT_PUBLIC_URL and TWILIO_AUTH_TOKEN of now"
_SEE_TUNNEL = "see tunnel"


def local_url(server: ServerSettings) -> str:
    """Return where this machine reaches the server."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)  # noqa: S104 - where others listen
    return f"http://{f'[{host}]' if ':' in host else host}:{server.port}"


async def port(patient: Patient) -> Finding:
    """Look who listens on the agent's port."""
    server = patient.settings.server
    if server.port == 0:
        return warning("AGENT_PORT=0 is another port at every start, which no tunnel finds", "AGENT_PORT=8080")
    url = local_url(server)
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False) as client:
            known = await _is_known(client, url, patient.identity)
            ready = known and (await client.get(f"{url}/readyz")).status_code == httpx.codes.OK
    except (httpx.ConnectError, httpx.ConnectTimeout):
        return _bindable(server)
    except httpx.HTTPError:
        known = ready = False
    if not known:
        patient.serving = Serving.STRANGER
        return wrong(f"another program listens on port {server.port}", _PORT_TAKEN)
    patient.serving = Serving.OURS if ready else Serving.LOADING
    return ok(f"{patient.serving.value} listens on port {server.port}")


def _bindable(server: ServerSettings) -> Finding:
    try:
        _listener(server).close()
    except PermissionError as error:
        return wrong(f"port {server.port} can't be listened on: {error.strerror}", "AGENT_PORT=8080")
    except OSError as error:
        fix = _PORT_TAKEN if server.host in ("127.0.0.1", "::1", "localhost") else "AGENT_HOST=127.0.0.1"
        return wrong(f"{server.host}:{server.port} can't be listened on: {error.strerror}", fix)
    return ok(f"port {server.port} is free: no server runs")


def _listener(server: ServerSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    return socket.create_server((server.host, server.port), family=family)


@asynccontextmanager
async def stand_in(patient: Patient) -> AsyncIterator[None]:
    """Serve in the server's place for the length of a block, if nobody does and the public URL leads anywhere."""
    server, tokens = patient.settings.server, patient.settings.twilio.auth_tokens
    if patient.serving is not Serving.NOBODY or not server.public_url or not server.port:
        yield
        return
    signatures = SignatureCheck(server.public_url, tokens)
    site = Site(server.public_url, signatures, TwimlDocuments(), identity=patient.identity)
    try:
        listener = _listener(server)
    except OSError:
        yield  # The port's check has said why.
        return
    uvicorn_server = _Quiet(server_config(create_app(site), server.host, server.port))
    task = asyncio.create_task(uvicorn_server.serve(sockets=[listener]), name="stand-in")
    patient.serving = Serving.STAND_IN
    try:
        yield
    finally:
        uvicorn_server.should_exit = True
        await task
        listener.close()
        patient.serving = Serving.NOBODY


class _Quiet(uvicorn.Server):
    """Leaves signals to whoever runs the loop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def public_url(patient: Patient) -> Finding:
    """Look at the public URL itself."""
    url = patient.settings.server.public_url
    if not url:
        fix = "telephony-agent serve --tunnel, or AGENT_PUBLIC_URL=https://<your tunnel's domain>"
        return wrong("AGENT_PUBLIC_URL is not set: only this machine can place calls", fix)
    if urlsplit(url).scheme != "https":
        fix = f"AGENT_PUBLIC_URL=https://<your tunnel's domain>, which leads to port {patient.settings.server.port}"
        return wrong(f"{url} is http, but Twilio's media stream comes by TLS only, and from outside", fix)
    return ok(url)


async def tunnel(patient: Patient) -> Finding:
    """Look whether the public URL leads to the server on this machine's port, by way of a nonce."""
    url = patient.settings.server.public_url
    if not url:
        return warning("not looked at: there is no public URL", "see public URL")
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client:
            patient.reached = await _is_known(client, url, patient.identity)
    except _StrangerError as error:
        return wrong(f"{url} leads elsewhere: {error}", _WRONG_TUNNEL if not error.tunnel_is_down else _NO_TUNNEL)
    except httpx.HTTPError as error:
        return _unreachable(patient, url, str(error) or type(error).__name__)
    if not patient.reached:
        return wrong(f"{url} leads to another telephony-agent", _WRONG_TUNNEL)
    return ok(f"{url} leads to this machine's port {patient.settings.server.port}")


class _StrangerError(httpx.HTTPError):
    """Something else than an agent answered."""

    def __init__(self, answer: httpx.Response) -> None:
        # ngrok's own pages carry its error's number.
        self.tunnel_is_down = "ngrok-error-code" in answer.headers
        said = answer.headers.get("ngrok-error-code") or answer.headers.get("server") or "no name"
        super().__init__(f"HTTP {answer.status_code} from {said}")


async def _is_known(client: httpx.AsyncClient, base: str, identity: bytes) -> bool:
    """Tell whether the agent behind a URL is the one with this identity.

    Raises:
        httpx.HTTPError: nobody answers, or (``_StrangerError``) no agent.
    """
    nonce = secrets.token_urlsafe(16)
    answer = await client.get(base + WELL_KNOWN, params={"nonce": nonce})
    try:
        told = answer.json()["proof"]
    except (ValueError, TypeError, KeyError):
        raise _StrangerError(answer) from None
    return bool(secrets.compare_digest(str(told).encode(), proof(identity, nonce).encode()))


def _unreachable(patient: Patient, url: str, reason: str) -> Finding:
    if patient.online is False:
        return warning(f"not looked at: the network can't be reached ({reason})", "run doctor again when it can")
    if "CERTIFICATE" in reason.upper():
        fix = "a tunnel (ngrok, cloudflared) or a certificate of a public authority: Twilio accepts no other"
        return wrong(f"the certificate of {url} is not trusted", fix)
    return wrong(f"{url} can't be reached: {reason}", _NO_TUNNEL)


async def signatures(patient: Patient) -> Finding:
    """Send a webhook without consequences through the public URL twice: signed as Twilio signs, and wrongly."""
    tokens = patient.settings.twilio.auth_tokens
    if not (patient.reached and tokens):
        return _not_looked_at(patient)
    url, form = patient.settings.server.public_url + FALLBACK_PATH, Parties().form("in-progress")
    async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client:

        async def posted(token: str) -> int:
            headers = {"X-Twilio-Signature": sign(signed_url(url), form, token)}
            return (await client.post(url, data=dict(form), headers=headers)).status_code

        try:
            right, false = await posted(tokens[0]), await posted(secrets.token_hex(16))
        except httpx.HTTPError as error:
            return _unreachable(patient, url, str(error) or type(error).__name__)
    if right == httpx.codes.FORBIDDEN:
        return wrong("the server refuses what is signed with TWILIO_AUTH_TOKEN for AGENT_PUBLIC_URL", _RESTART)
    if right != httpx.codes.OK:
        return wrong(f"a signed webhook was answered with HTTP {right}", _WRONG_TUNNEL)
    if false != httpx.codes.FORBIDDEN:
        fix = "AGENT_ALLOW_UNSIGNED=false, then restart `telephony-agent serve`"
        return wrong("a webhook with a wrong signature was accepted: anybody is let in", fix)
    return ok("a signed webhook is accepted, one with a wrong signature is refused")


async def media_stream(patient: Patient) -> Finding:
    """Upgrade to the media stream's websocket through the public URL, as Twilio does, and close it."""
    tokens, base = patient.settings.twilio.auth_tokens, patient.settings.server.public_url
    if not (patient.reached and tokens):
        return _not_looked_at(patient)
    url = f"wss://{base.partition('://')[2]}{MEDIA_PATH}"
    target = url if base.startswith("https") else url.replace("wss://", "ws://", 1)
    headers = {"X-Twilio-Signature": sign(url, (), tokens[0])}
    try:
        async with connect(target, additional_headers=headers, compression=None, open_timeout=_TIMEOUT_S):
            return ok("the upgrade to a websocket passes")
    except InvalidStatus as error:
        return _refused(patient.serving, error.response.status_code)
    except (InvalidHandshake, OSError, EOFError) as error:
        return _refused(patient.serving, type(error).__name__)


def _refused(serving: Serving, answer: int | str) -> Finding:
    if answer == httpx.codes.FORBIDDEN and serving is not Serving.OURS:
        # Only an upgrade that has arrived is answered so; a request without one finds no such path.
        return ok("the upgrade to a websocket arrives; no stream is taken before the models are warm")
    if answer == httpx.codes.FORBIDDEN:
        return wrong("the server refuses a stream that is signed with TWILIO_AUTH_TOKEN", _RESTART)
    fix = (
        "let websockets through what stands before the agent (nginx: proxy_http_version 1.1, proxy_set_header Upgrade "
        "$http_upgrade, proxy_set_header Connection upgrade; ngrok: an http endpoint, not tcp)"
    )
    return wrong(f"the upgrade to a websocket does not pass: {answer}", fix)


def _not_looked_at(patient: Patient) -> Finding:
    if not patient.reached:
        return warning("not looked at: the public URL does not lead here", _SEE_TUNNEL)
    return warning("not looked at: there is no token to sign with", "see settings")
