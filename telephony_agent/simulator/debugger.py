"""What Twilio's console would log of a call: numbered errors and warnings, none of which is ever sent on the socket."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Code(IntEnum):
    """Twilio's numbers for what can go wrong with a webhook or a media stream."""

    RETRIEVAL_FAILURE = 11200
    CONNECTION_FAILURE = 11205
    DOCUMENT_PARSE_FAILURE = 12100
    SCHEMA_VALIDATION = 12200
    CONTENT_TYPE = 12300
    CONNECTION_TIMEOUT = 31901
    CONNECTION_REFUSED = 31902
    BROKEN_PIPE = 31903
    HANDSHAKE = 31920
    CLOSED = 31921
    SCHEME = 31922
    MALFORMED_URL = 31923
    PROTOCOL = 31924
    MEDIA_DISCARDED = 31931
    TRACK = 31941
    MALFORMED_MESSAGE = 31950
    INVALID_MESSAGE = 31951


_NAMES = {
    Code.RETRIEVAL_FAILURE: "HTTP retrieval failure",
    Code.CONNECTION_FAILURE: "HTTP connection failure",
    Code.DOCUMENT_PARSE_FAILURE: "Document parse failure",
    Code.SCHEMA_VALIDATION: "Schema validation warning",
    Code.CONTENT_TYPE: "Invalid Content-Type",
    Code.CONNECTION_TIMEOUT: "Stream - WebSocket - Connection Timeout",
    Code.CONNECTION_REFUSED: "Stream - WebSocket - Connection Refused",
    Code.BROKEN_PIPE: "Stream - WebSocket - Connection Broken Pipe",
    Code.HANDSHAKE: "Stream - WebSocket - Handshake Error",
    Code.CLOSED: "Stream - WebSocket - Close Error",
    Code.SCHEME: "Stream - WebSocket - URL Schema Not Supported",
    Code.MALFORMED_URL: "Stream - WebSocket - Malformed URL",
    Code.PROTOCOL: "Stream - WebSocket - Protocol Error",
    Code.MEDIA_DISCARDED: "Stream - Media - Media Discarded",
    Code.TRACK: "Stream - Invalid Track configuration",
    Code.MALFORMED_MESSAGE: "Stream - Message - Malformed Message",
    Code.INVALID_MESSAGE: "Stream - Message - Invalid Message",
}

_WARNINGS = frozenset(
    {
        Code.SCHEMA_VALIDATION,
        Code.MEDIA_DISCARDED,
        Code.MALFORMED_MESSAGE,
        Code.INVALID_MESSAGE,
    }
)


@dataclass(frozen=True, slots=True)
class Notice:
    """One line of the console: Twilio's number and name, and what this twin saw."""

    code: Code
    detail: str = ""

    @property
    def is_warning(self) -> bool:
        """Tell whether the call goes on as if nothing had been."""
        return self.code in _WARNINGS

    def __str__(self) -> str:
        name = f"{self.code.value} {_NAMES[self.code]}"
        return f"{name}: {self.detail}" if self.detail else name
