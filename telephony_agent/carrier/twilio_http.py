"""The HTTP client that the twilio package is given: explicit limits, no retries, no log, and errors that can be told.

The package's own client logs every URL with its query (which holds telephone numbers), has no timeout unless asked, and
its exceptions forget the headers. This one makes three things of a request: an answer, ``Refused`` (Twilio understood
and said no) or ``NoAnswer``, which knows whether the request may have arrived. It works on httpx' transport, below the
httpx client, because that logs URLs too; proxies of the environment are therefore not used.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from twilio.http import HttpClient  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]

from telephony_agent.carrier.twilio_errors import scrubbed

_BODY_LIMIT = 8 * 1024 * 1024
_REQUEST_TIMEOUT = 408


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How long one request may take: to connect, and from then on, in seconds; and how many connections are kept."""

    connect_s: float = 5.0
    answer_s: float = 15.0
    connections: int = 4


class Refused(Exception):
    """Twilio said no: HTTP 4xx. Nothing was done."""

    def __init__(self, http_status: int, carrier_code: int, message: str, retry_after_s: float) -> None:
        super().__init__(f"HTTP {http_status}, Twilio error {carrier_code}")
        self.http_status = http_status
        self.carrier_code = carrier_code
        self.message = scrubbed(message)
        self.retry_after_s = retry_after_s


class NoAnswer(Exception):
    """There is no answer that we can use; ``sent`` says whether Twilio may have read the request all the same."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class TwilioHttp(HttpClient):  # type: ignore[misc]
    """Twilio's HTTP client; may be used by several threads at once."""

    def __init__(self, limits: HttpLimits, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Open nothing yet; connections are made as they are needed and kept for the next request."""
        self.is_async = False
        self._limits = limits
        self._monotonic = monotonic
        self._transport = httpx.HTTPTransport(
            retries=0,
            limits=httpx.Limits(max_connections=limits.connections, max_keepalive_connections=limits.connections),
        )

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def request(
        self,
        method: str,
        uri: str,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Any:
        """Send one request, once. Redirects are never followed: they would carry the credentials elsewhere.

        Raises:
            Refused: the answer is 4xx.
            NoAnswer: there is none, or it is one that no client can use.
        """
        limits = self._limits
        deadline = self._monotonic() + limits.connect_s + (timeout or limits.answer_s)
        request = httpx.Request(
            method,
            uri,
            params=params or None,
            data=dict(data) if data else None,
            headers=dict(headers or {}),
            extensions={"timeout": httpx.Timeout(timeout or limits.answer_s, connect=limits.connect_s).as_dict()},
        )
        if auth is not None:
            request = next(httpx.BasicAuth(*auth).auth_flow(request))
        try:
            answer = self._transport.handle_request(request)
            body = self._read(answer, deadline)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            raise NoAnswer(_reason(error), sent=False) from error
        except (httpx.RequestError, httpx.StreamError) as error:
            raise NoAnswer(_reason(error), sent=True) from error
        return _judged(answer, body)

    def _read(self, answer: httpx.Response, deadline: float) -> str:
        """Read the body; one that drips or grows for ever ends as well."""
        body = bytearray()
        try:
            for chunk in answer.iter_bytes():
                body += chunk
                if self._monotonic() > deadline or len(body) > _BODY_LIMIT:
                    raise NoAnswer("the answer took too long or was too large", sent=True)
        finally:
            answer.close()
        return body.decode("utf-8", "replace")


def _judged(answer: httpx.Response, body: str) -> Response:
    status = answer.status_code
    try:
        content = json.loads(body) if body else {}
    except (ValueError, RecursionError):
        content = None
    if 400 <= status < 500 and status != _REQUEST_TIMEOUT:
        raise _refusal(status, content, answer.headers)
    if not 200 <= status < 300 or not isinstance(content, dict):
        kind = "something that is not Twilio's" if status < 300 else "nothing useful"
        raise NoAnswer(f"the answer was HTTP {status} with {kind}", sent=True)
    return Response(status, body, dict(answer.headers))


def _refusal(status: int, content: Any, headers: Mapping[str, str]) -> Refused:
    """Read Twilio's error body, of the old shape (``message``) or the new one (``title``, RFC 9457)."""
    told = content if isinstance(content, dict) else {}
    code = told.get("code")
    if not isinstance(code, int):
        # What stands between us and Twilio has bodies of its own; 401 and 429 mean the same everywhere.
        code = {401: 20003, 404: 20404, 429: 20429}.get(status, status)
    message = told.get("message") or told.get("detail") or told.get("title") or ""
    return Refused(status, code, str(message), _retry_after_s(headers.get("retry-after", "")))


def _retry_after_s(header: str) -> float:
    """Read ``Retry-After``; Twilio gives seconds, a date counts as none."""
    return float(header) if header.isascii() and header.isdecimal() and len(header) < 7 else 0.0


def _reason(error: Exception) -> str:
    """Say what went wrong without the fault's own text, which may hold an address."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return "nobody can be reached there; look at AGENT_TWILIO_API_URL and the network"
    return type(error).__name__
