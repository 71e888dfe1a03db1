"""The tunnel between Twilio's side and a loopback agent: URLs under the public base lead to the local address."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit


@dataclass(frozen=True, slots=True)
class WebSocketTarget:
    """Where to connect for a ``wss`` URL: the URI to ask for, and the address if it isn't the URI's own."""

    uri: str
    host: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Tunnel:
    """Leads ``public_url`` (what Twilio was given, and signs) to ``local_url`` (where the agent listens)."""

    public_url: str
    local_url: str

    def public(self, path: str) -> str:
        """Give the public URL of a path."""
        return self.public_url.rstrip("/") + path

    def http(self, url: str) -> tuple[str, str]:
        """Give the URL to connect to for a public URL, and the Host header to send."""
        parts = urlsplit(url)
        if not self._is_ours(url):
            return url, parts.netloc
        local = urlsplit(self.local_url)
        return urlunsplit((local.scheme, local.netloc, parts.path or "/", parts.query, "")), parts.netloc

    def websocket(self, url: str) -> WebSocketTarget:
        """Give the target for a ``wss`` URL of the TwiML; on loopback without TLS if the agent has none."""
        if not self._is_ours(url):
            return WebSocketTarget(url)
        parts, local = urlsplit(url), urlsplit(self.local_url)
        secure = local.scheme == "https"
        uri = urlunsplit(("wss" if secure else "ws", parts.netloc, parts.path, "", ""))
        return WebSocketTarget(uri, local.hostname, local.port or (443 if secure else 80))

    def _is_ours(self, url: str) -> bool:
        return urlsplit(url).hostname == urlsplit(self.public_url).hostname
