"""What every route needs: one object, built by the command line, held in ``app.state.site``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telephony_agent.carrier.signature import SignatureCheck
from telephony_agent.carrier.twiml import TwimlDocuments
from telephony_agent.live.switchboard import Switchboard
from telephony_agent.live.text_desk import TextDesk
from telephony_agent.store import Store
from telephony_agent.telemetry import Metrics

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection


@dataclass(slots=True)
class Site:
    """One server's public face.

    ``signatures`` is None only when the check was switched off, on loopback. ``switchboard`` is None until the models
    are warm.
    """

    public_url: str
    signatures: SignatureCheck | None
    documents: TwimlDocuments
    api_token: str = ""
    transfer_number: str = ""
    switchboard: Switchboard | None = None
    store: Store | None = None
    """What is remembered of calls; None where nothing is."""
    text_desk: TextDesk | None = None
    """The calls by text; None until the models are warm."""
    metrics: Metrics = field(default_factory=Metrics)

    @property
    def ready(self) -> bool:
        """Whether calls can be taken."""
        return self.switchboard is not None and self.switchboard.ready

    @property
    def stream_url(self) -> str:
        """Where Twilio's websocket shall come to; Twilio speaks ``wss`` only."""
        return f"wss://{self.public_url.split('://', 1)[1]}/twilio/media"

    def url(self, path: str) -> str:
        """Return the public URL of a path."""
        return f"{self.public_url}{path}"


def site_of(connection: HTTPConnection) -> Site:
    """Return the site that serves a request or a websocket."""
    site = connection.app.state.site
    assert isinstance(site, Site)
    return site
