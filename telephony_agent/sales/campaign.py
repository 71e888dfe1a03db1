"""Plans a campaign: who is dialled next and when, and what follows from how a call went.

Theory of operation
===================

A ``CampaignPlan`` knows who waits, until when, and how many calls are live; ``next`` says what to do now: dial
somebody, wait, or that all is done. It has no clock, no database and no telephone: ``now`` comes in, a step goes out,
and the shell (``live.campaign``) carries it out and says how it went. Whom the law lets be dialled is decided at the
moment of dialling, by ``compliance`` and the store; here is only what follows from its answer:

====================================================  =================================================
a call, or a refusal                                  what follows
====================================================  =================================================
they talked; or nothing is left of a result's retries  done
busy, no answer, failed, voicemail                    again, as ``RetryRules`` have it
outside of the calling hours                          again, when the hours open where the phone rings
too often today                                       again, when they open there on the next day
no place, the day's calls are used up, no database    again, a little later; it counts as nothing
everything else that the law says                     refused, for good
====================================================  =================================================
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Self

from telephony_agent.errors import TelephonyAgentError
from telephony_agent.sales.compliance import DialPolicy, Reason, next_day, next_opening
from telephony_agent.sales.disposition import LineResult
from telephony_agent.sales.lead import Lead

ABANDONED_SHARE = 0.03
"""The most abandoned calls of all that were answered in 30 days (16 CFR 310.4(b)(4)(i))."""
FIRST_WORDS_S = 2.0
"""Who answers hears us within this time, or the call is abandoned."""
NO_PLACE = "no_place"
PLAYBOOK = "playbook"
"""The playbook of a call can't be used (any more)."""
STOP_GAP = MappingProxyType(
    {
        NO_PLACE: timedelta(seconds=5),
        "store": timedelta(seconds=30),
        "daily_cap": timedelta(hours=1),
        PLAYBOOK: timedelta(minutes=15),
    }
)
"""Refusals that say nothing of the lead, and how long after them it is tried again."""
ON_THE_LINE = "on_the_line"
NEXT_LOOK = timedelta(minutes=10)
"""After so long it is tried again whether somebody's line is free of us."""
ANOTHER_DAY = frozenset({Reason.TOO_MANY_ATTEMPTS.value, "attempts"})
_UNITS = MappingProxyType({"s": "seconds", "m": "minutes", "h": "hours", "d": "days"})
_RULE = re.compile(r"(?P<result>[a-z_]+):(?:never|(?P<number>\d{1,4})(?P<unit>[smhd])(?::(?P<times>\d{1,2}))?)")
_RETRIED = frozenset(LineResult) - {LineResult.ANSWERED}


class CampaignError(TelephonyAgentError):
    """A campaign can't be made as it was asked for, or not changed as it stands; the message says what to do."""

    code = "campaign"


@dataclass(frozen=True, slots=True)
class Retry:
    """That a lead is dialled again so long after a result, at most so many times for that result."""

    after: timedelta
    times: int = 1


@dataclass(frozen=True, slots=True)
class RetryRules:
    """What follows from each result of dialling; one that isn't named ends the matter."""

    by_result: Mapping[LineResult, Retry] = field(
        default_factory=lambda: MappingProxyType(
            {
                LineResult.BUSY: Retry(timedelta(minutes=15), 3),
                LineResult.NO_ANSWER: Retry(timedelta(hours=2), 2),
                LineResult.FAILED: Retry(timedelta(hours=1), 1),
                LineResult.VOICEMAIL: Retry(timedelta(days=1), 1),
            }
        )
    )

    def changed(self, texts: Iterable[str]) -> RetryRules:
        """Return the rules with some changed, each told as ``busy:15m:3``, ``failed:1h`` (once) or ``busy:never``.

        Raises:
            CampaignError: a text is no rule.
        """
        rules = dict(self.by_result)
        for text in texts:
            told = _RULE.fullmatch(text)
            if told is None or told["result"] not in _RETRIED:
                allowed = ", ".join(sorted(_RETRIED))
                raise CampaignError(f"retry: {text!r} is no rule; write busy:15m:3 or busy:never, for any of {allowed}")
            result = LineResult(told["result"])
            rules.pop(result, None)
            if told["number"] is not None:
                after = timedelta(**{_UNITS[told["unit"]]: int(told["number"])})
                rules[result] = Retry(after, int(told["times"] or 1))
        return RetryRules(MappingProxyType(rules))

    def again_at(self, result: str, times: int, ended_at: datetime) -> datetime | None:
        """Return when to dial again after a call; None: never.

        Args:
            result: the call's line result.
            times: how many of the lead's calls had it, this one included.
            ended_at: when the call ended.
        """
        rule = self.by_result.get(LineResult(result))
        return ended_at + rule.after if rule is not None and times <= rule.times else None

    def as_data(self) -> dict[str, Any]:
        """Return them as JSON can hold them."""
        return {
            result.value: {"after_s": int(rule.after.total_seconds()), "times": rule.times}
            for result, rule in self.by_result.items()
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``as_data`` wrote.

        Raises:
            KeyError, ValueError: it didn't.
        """
        rules = ((LineResult(name), timedelta(seconds=rule["after_s"]), rule["times"]) for name, rule in data.items())
        return cls(MappingProxyType({result: Retry(after, times) for result, after, times in rules}))


@dataclass(frozen=True, slots=True)
class Again:
    """The lead waits until a moment."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """The lead is never dialled in this campaign."""


def after_refusal(reason: str, lead: Lead, now: datetime, policy: DialPolicy) -> Again | Refused:
    """Return what follows from a refusal by the law, by the store or for want of a place."""
    if reason in STOP_GAP:
        return Again(now + STOP_GAP[reason])
    at: datetime | None = None
    if reason == Reason.OUTSIDE_HOURS.value:
        at = next_opening(lead.zone, lead.phone, now, policy)
    elif reason == ON_THE_LINE:
        at = now + NEXT_LOOK
    elif reason in ANOTHER_DAY:
        at = next_day(lead.zone, lead.phone, now, policy)
    return Again(at) if at is not None else Refused()


def too_many_abandoned(answered: int, abandoned: int) -> bool:
    """Tell whether so many abandoned calls are too many. One alone is an accident, however few calls there were."""
    return abandoned > max(1.0, ABANDONED_SHARE * answered)


@dataclass(slots=True)
class Pace:
    """When the account dialled last: all campaigns of a server share one carrier, so they share its pace."""

    last_at: datetime | None = None
    _before: datetime | None = None

    def turn_at(self, now: datetime, gap: timedelta) -> datetime:
        """Return when the next turn is. A clock that was set back makes nobody wait for longer than the gap."""
        if self.last_at is None:
            return now
        self.last_at = min(self.last_at, now)
        return self.last_at + gap

    def take(self, now: datetime) -> None:
        """Take a turn."""
        self._before, self.last_at = self.last_at, now

    def give_back(self, taken_at: datetime) -> None:
        """Give a turn back that led to no call, unless it is no more the last one."""
        if self.last_at == taken_at:
            self.last_at = self._before


@dataclass(frozen=True, slots=True)
class Dial:
    """Dial a lead now. It is the shell's until ``again`` or ``over`` is told of it."""

    lead_id: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before a moment; None: before something happens."""

    until: datetime | None


@dataclass(frozen=True, slots=True)
class Finished:
    """Nobody waits, and no call is live."""


Step = Dial | Wait | Finished


class CampaignPlan:
    """Who waits, until when, and how many calls are live.

    Args:
        waiting: the leads, and from when each may be dialled; of several the earliest comes first, then the order here.
        per_s: how many calls may be begun in a second.
        at_once: how many may be live; 0: as many as find a place.
        pace: shared by all campaigns.
    """

    def __init__(self, waiting: Iterable[tuple[int, datetime]], *, per_s: float, at_once: int, pace: Pace) -> None:
        self._waiting = [(at, order, lead_id) for order, (lead_id, at) in enumerate(waiting)]
        heapq.heapify(self._waiting)
        self._order = len(self._waiting)
        self._live: set[int] = set()
        self._gap = timedelta(seconds=1 / per_s)
        self._at_once = at_once
        self._pace = pace
        self._held: tuple[datetime, str] | None = None

    @property
    def live(self) -> frozenset[int]:
        """The leads that are being dialled, or talked to."""
        return frozenset(self._live)

    def next(self, now: datetime) -> Step:
        """Return what to do now. Ask again when that is done, when its moment has come or when something happened."""
        if not self._waiting:
            return Wait(None) if self._live else Finished()
        if self._at_once and len(self._live) >= self._at_once:
            return Wait(None)
        due, _, lead_id = self._waiting[0]
        until = max(due, self._pace.turn_at(now, self._gap), self._held[0] if self._held is not None else due)
        if until > now:
            return Wait(until)
        heapq.heappop(self._waiting)
        self._live.add(lead_id)
        self._pace.take(now)
        return Dial(lead_id)

    def taken(self, lead_id: int) -> None:
        """Count a lead as live that was so before this plan was made."""
        self._live.add(lead_id)

    def not_dialled(self, lead_id: int, asked_at: datetime, at: datetime | None) -> None:
        """Let a lead wait until a moment, or never be dialled, without a call: it cost no turn.

        ``asked_at`` is the moment that ``next`` was asked at.
        """
        self._pace.give_back(asked_at)
        if at is None:
            self.over(lead_id)
        else:
            self.again(lead_id, at)

    def again(self, lead_id: int, at: datetime) -> None:
        """Let a lead wait until a moment."""
        self._live.discard(lead_id)
        heapq.heappush(self._waiting, (at, self._order, lead_id))
        self._order += 1

    def over(self, lead_id: int) -> None:
        """Forget a lead: it is done, or refused."""
        self._live.discard(lead_id)

    def hold(self, until: datetime, reason: str) -> None:
        """Dial nobody until then: the refusal says nothing of the lead, the next one would meet it too."""
        self._held = (until, reason)

    def place_free(self) -> None:
        """A call is over: for want of a place nobody has to wait now."""
        if self._held is not None and self._held[1] == NO_PLACE:
            self._held = None
