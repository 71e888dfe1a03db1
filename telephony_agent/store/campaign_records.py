"""What goes into the store and comes out of it of campaigns: frozen records of plain values.

===========  ==================================================================================
campaign     means
===========  ==================================================================================
running      leads are dialled as they are due
paused       somebody wanted a pause; live calls go on
held         too many calls were abandoned; somebody has to look, and may let it run again
stopped      somebody ended it; whoever waits is not dialled any more
finished     every lead is done or refused
===========  ==================================================================================

===========  ==================================================================================
lead         means
===========  ==================================================================================
waiting      to be dialled from ``next_at`` on; ``reason`` says what it waits for
dialling     a call with ``call_id`` was begun, or is about to be: the claim comes before the call
done         its last call is its last; line result and disposition are that call's
refused      never dialled again in this campaign; ``reason`` and ``detail`` say why
===========  ==================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class CampaignState(StrEnum):
    """How a campaign stands."""

    RUNNING = "running"
    PAUSED = "paused"
    HELD = "held"
    STOPPED = "stopped"
    FINISHED = "finished"


class LeadState(StrEnum):
    """How a lead stands in a campaign."""

    WAITING = "waiting"
    DIALLING = "dialling"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class NewCampaign:
    """A campaign that is to begin: pace, cap (0: none), and retry rules as ``sales.campaign`` writes them.

    ``playbook_id`` is of the playbook that its calls are made by; empty for the server's own.
    """

    name: str
    per_s: float
    at_once: int
    retries: Mapping[str, Any]
    playbook_id: str = ""


@dataclass(frozen=True, slots=True)
class CampaignRecord:
    """A campaign as it is stored. ``answered`` and ``abandoned`` count since ``period_from``."""

    id: int
    new: NewCampaign
    state: CampaignState
    reason: str
    created_at: datetime
    updated_at: datetime
    period_from: datetime
    answered: int
    abandoned: int


@dataclass(frozen=True, slots=True)
class CampaignLead:
    """A lead in a campaign, with its name and number."""

    lead_id: int
    name: str
    phone: str = field(repr=False)
    state: LeadState
    call_id: str | None
    next_at: datetime | None
    results: Mapping[str, int]
    line_result: str | None
    disposition: str | None
    reason: str
    detail: str

    @property
    def attempts(self) -> int:
        """How many calls were made to them."""
        return sum(self.results.values())


@dataclass(frozen=True, slots=True)
class Progress:
    """How many leads of a campaign stand where; ``talking`` of those that are dialled have answered."""

    waiting: int
    dialling: int
    talking: int
    done: Mapping[str, int]
    """By disposition."""
    refused: Mapping[str, int]
    """By reason."""
    line_results: Mapping[str, int]
    """Of the leads that are done."""
    next_at: datetime | None
    """From when the next one that waits may be dialled."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a lead's call, and what follows.

    Attributes:
        line_result, disposition: the call's.
        answered: whether a person did.
        abandoned: whether that person heard nobody of ours.
        again_at: from how many of the lead's calls had this line result, when it is dialled again; None: never.
        hold: from how many calls were answered and abandoned in this period, why the campaign is held; empty: it isn't.
    """

    line_result: str
    disposition: str
    answered: bool
    abandoned: bool
    again_at: Callable[[int], datetime | None]
    hold: Callable[[int, int], str]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a verdict has led to: until when the lead waits (None: it is done), and whether the campaign is held."""

    again_at: datetime | None
    held: bool
