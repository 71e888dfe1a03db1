"""What the guide of a call tells, what it knows, and what it is told before the call; all of it never changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Self

from telephony_agent.sales.lead import Bant, Lead
from telephony_agent.sales.moments import Moment
from telephony_agent.sales.playbook import Playbook
from telephony_agent.sales.playbook_parts import Action
from telephony_agent.sales.reply_check import Sources
from telephony_agent.sales.sales_phrases import Objection
from telephony_agent.sales.slots import Slots
from telephony_agent.sales.values import SlotName

_LEAD_FIELDS = ("name", "phone", "company", "email", "notes", "language")
MAX_PUSHES = 2
"""How often we may still make an offer after a refusal."""
MAX_REMOVALS = 2
"""How often we ask whether they want no more calls."""


class Then(StrEnum):
    """What follows our words."""

    GO_ON = "go_on"
    END = "end"
    TRANSFER = "transfer"


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do with a turn: say fixed words, or (``say`` is empty) let the model word the reply with a note."""

    say: str = ""
    then: Then = Then.GO_ON
    note: str = ""


@dataclass(frozen=True, slots=True)
class GuideState:
    """All that the guide knows of the call so far."""

    slots: Slots = field(default_factory=Slots)
    disclosed: bool = False
    """Whether our disclosure was heard in full."""
    opted_out: bool = False
    wrong_number: bool = False
    transfer_wanted: bool = False
    nobody_came: bool = False
    """Whether a person was rung for the caller in this call, and didn't take it."""
    callback_wanted: bool = False
    removals_offered: int = 0
    """How often we asked whether to take them off our list."""
    offering_removal: bool = False
    """Whether that question waits for an answer."""
    parting: bool = False
    """Whether the caller's last words are a reason to take leave."""
    refusals: int = 0
    objections: frozenset[Objection] = frozenset()
    reading_back: SlotName | None = None
    """The slot whose read-back waits for an answer."""
    due: SlotName | None = None
    """The slot whose read-back had to wait, because something else had to be said first."""
    asking: str | None = None
    """The slot that our last fixed words asked for, whether they were heard or not."""
    asked: frozenset[str] = frozenset()
    """What our words that were heard have asked for."""
    setting: SlotName = SlotName.MEETING
    """What a day or a time is for: the last of the two that was spoken of."""
    sources: Sources = field(default_factory=Sources)
    proposed: Moment | None = None
    """A time for a call back that the model named; it waits for the caller's yes."""
    to_send: tuple[str, ...] = ()
    """The topics of which information is to be sent to the caller's address."""
    turns: int = 0

    @property
    def left(self) -> bool:
        """Whether the caller has refused often enough for us to leave."""
        return self.refusals > MAX_PUSHES

    @property
    def ending(self) -> bool:
        """Whether the call must end, whatever else is said."""
        return self.opted_out or self.wrong_number or self.left


@dataclass(frozen=True, slots=True)
class Setting:
    """What a call is, before it begins."""

    playbook: Playbook
    lead: Lead
    zone: str
    """The called party's IANA zone, in which they name days and hours."""
    recorded: bool = False
    can_transfer: bool = False

    @property
    def transfers(self) -> bool:
        """Whether a caller who wants a person gets one: there is somebody, and the playbook allows it."""
        return self.can_transfer and Action.TRANSFER in self.playbook.calls_to_action

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data, for a trace; of the lead only what the guide reads."""
        lead = {name: getattr(self.lead, name) for name in _LEAD_FIELDS} | {"bant": asdict(self.lead.bant)}
        return {
            "playbook": self.playbook.model_dump(mode="json"),
            "lead": lead,
            "zone": self.zone,
            "recorded": self.recorded,
            "can_transfer": self.can_transfer,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Return what ``as_data`` told.

        Raises:
            KeyError, ValueError: it isn't that.
        """
        lead = dict(data["lead"])
        return cls(
            playbook=Playbook.model_validate(data["playbook"]),
            lead=Lead(bant=Bant(**lead.pop("bant")), **lead),
            zone=data["zone"],
            recorded=data["recorded"],
            can_transfer=data["can_transfer"],
        )
