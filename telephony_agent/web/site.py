"""What every route needs: one object, built by the command line, held in ``app.state.site``."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telephony_agent.carrier.signature import SignatureCheck
from telephony_agent.carrier.twiml import TwimlDocuments
from telephony_agent.live.campaign import CampaignDesk
from telephony_agent.live.dialler import Dialler
from telephony_agent.live.playbook_shelf import PlaybookShelf
from telephony_agent.live.switchboard import Switchboard
from telephony_agent.live.text_desk import TextDesk
from telephony_agent.store import Store
from telephony_agent.telemetry import Metrics
from telephony_agent.web.siblings import Siblings

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
    identity: bytes = b""
    """What proves to its owner that this server answers, and no other (``web.identity``); empty: nothing does."""
    transfer_number: str = ""
    switchboard: Switchboard | None = None
    store: Store | None = None
    """What is remembered of calls; None where nothing is."""
    playbooks: PlaybookShelf | None = None
    """The playbooks that calls may be made by; None where nothing is remembered."""
    text_desk: TextDesk | None = None
    """The calls by text, and by voice without a phone; None until the models are warm."""
    dialler: Dialler | None = None
    """Places calls; None until the models are warm, and where no account is set."""
    campaigns: CampaignDesk | None = None
    """The campaigns at work; None where there is no dialler."""
    siblings: Siblings | None = None
    """The other workers behind the same port; None where there are none."""
    metrics: Metrics = field(default_factory=Metrics)

    @property
    def ready(self) -> bool:
        """Whether calls can be taken."""
        return self.switchboard is not None and self.switchboard.ready

    @property
    def language(self) -> str:
        """Of the server's own playbook."""
        return self.playbooks.own.playbook.language if self.playbooks is not None else "en"

    @property
    def draining(self) -> bool:
        """Whether the server is about to stop: its calls go on for a while, and none is taken any more."""
        return self.switchboard is not None and self.switchboard.draining

    def holds_token(self, token: str) -> bool:
        """Tell whether this is the API's bearer token; while the API is off none is."""
        return bool(self.api_token) and secrets.compare_digest(token.encode(), self.api_token.encode())

    @property
    def stream_url(self) -> str:
        """Where Twilio's websocket shall come to; Twilio speaks ``wss`` only. Of several workers it names this one."""
        path = "/twilio/media" if self.siblings is None else f"/twilio/media/{self.siblings.worker.index}"
        return f"wss://{self.public_url.split('://', 1)[1]}{path}"

    def url(self, path: str) -> str:
        """Return the public URL of a path."""
        return f"{self.public_url}{path}"


def site_of(connection: HTTPConnection) -> Site:
    """Return the site that serves a request or a websocket."""
    site = connection.app.state.site
    assert isinstance(site, Site)
    return site
