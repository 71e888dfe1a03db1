"""What is examined: the settings, and what earlier checks have learnt for the later ones."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from telephony_agent.carrier.carrier import PhoneNumber
from telephony_agent.settings import Settings


class Serving(StrEnum):
    """Who listens on the agent's port."""

    NOBODY = "nobody"
    OURS = "our server"
    LOADING = "our server, whose models are still loading"
    STAND_IN = "the doctor itself, for the checks from outside"
    STRANGER = "another program"


@dataclass(slots=True)
class Patient:
    """A set-up under examination.

    Attributes:
        settings: the wrong ones among them are at their defaults.
        problems: what is wrong with settings, a line each.
        identity: of the server on the settings' port.
        online: whether Twilio's API could be reached; None until that was tried.
        numbers: the account's; None until, and unless, it told them.
        serving: who listens on the port.
        reached: whether the public URL leads to that server.
    """

    settings: Settings
    problems: tuple[str, ...]
    identity: bytes
    online: bool | None = None
    numbers: list[PhoneNumber] | None = None
    serving: Serving = Serving.NOBODY
    reached: bool = False
