"""The upgrade to a media stream, as Twilio asks for it: signed over the ``wss`` URL, with no extension offered."""

from __future__ import annotations

import secrets
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus

from telephony_agent.simulator.debugger import Code, Notice
from telephony_agent.simulator.faults import SignatureFault
from telephony_agent.simulator.signing import sign
from telephony_agent.simulator.tunnel import Tunnel
from telephony_agent.simulator.twiml import TwimlError

_CLOSE_TIMEOUT_S: Final = 5


async def upgrade(url: str, tunnel: Tunnel, auth_token: str, fault: SignatureFault) -> ClientConnection:
    """Open the websocket that a ``<Stream url>`` names.

    Raises:
        TwimlError: refused; carries the console's number.
    """
    target = tunnel.websocket(url)
    address: dict[str, Any] = {"host": target.host, "port": target.port} if target.host else {}
    try:
        return await connect(
            target.uri,
            additional_headers=_signature(url, auth_token, fault),
            user_agent_header="Twilio.TmeWs/1.0",
            compression=None,
            proxy=None,
            ping_interval=None,
            close_timeout=_CLOSE_TIMEOUT_S,
            max_size=None,
            **address,
        )
    except InvalidStatus as error:
        raise TwimlError(Notice(Code.HANDSHAKE, f"answered {error.response.status_code}")) from error
    except InvalidHandshake as error:
        raise TwimlError(Notice(Code.HANDSHAKE, str(error))) from error
    except TimeoutError as error:
        raise TwimlError(Notice(Code.CONNECTION_TIMEOUT, url)) from error
    except ConnectionRefusedError as error:
        raise TwimlError(Notice(Code.CONNECTION_REFUSED, url)) from error
    except OSError as error:
        raise TwimlError(Notice(Code.BROKEN_PIPE, f"{url}: {error}")) from error


def _signature(url: str, auth_token: str, fault: SignatureFault) -> dict[str, str]:
    match fault:
        case SignatureFault.MISSING:
            return {}
        case SignatureFault.WRONG:
            return {"X-Twilio-Signature": sign(url, (), secrets.token_hex(16))}
        case SignatureFault.HTTPS:
            return {"X-Twilio-Signature": sign(url.replace("wss://", "https://", 1), (), auth_token)}
        case SignatureFault.NONE:
            return {"X-Twilio-Signature": sign(url, (), auth_token)}
