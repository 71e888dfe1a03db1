"""Everything that can be chosen about the twin of a Twilio account."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from telephony_agent.simulator.callee import Directory
from telephony_agent.simulator.dialling import DialPace
from telephony_agent.simulator.faults import Behaviour
from telephony_agent.simulator.parties import made_up_sid
from telephony_agent.simulator.rest_faults import RestFaults
from telephony_agent.simulator.tunnel import Tunnel

TEST_NUMBER = "+15005550006"


@dataclass(frozen=True, slots=True)
class TwinAccount:
    """The account: who may ask, which numbers it owns, whom it may call.

    ``api_keys`` are further credentials by their SK. With ``is_test`` these are Twilio's test credentials: nothing is
    dialled, and the magic numbers answer. ``verified`` are the only numbers that a trial may call (``None``: no trial);
    ``allowed_prefixes`` the only ones that permissions let through (none: all); ``blocked`` never are.
    """

    account_sid: str = field(default_factory=lambda: made_up_sid("AC"))
    auth_token: str = field(default_factory=lambda: secrets.token_hex(16))
    api_keys: Mapping[str, str] = field(default_factory=dict)
    numbers: tuple[str, ...] = (TEST_NUMBER,)
    is_test: bool = False
    verified: frozenset[str] | None = None
    allowed_prefixes: tuple[str, ...] = ()
    blocked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is let through: new calls are queued at their rate; requests beyond theirs are refused with 429.

    ``requests_per_s`` is off by default, as its real value isn't known; ``calls_at_once`` too, and refuses with 10004.
    """

    calls_per_s: float = 1.0
    requests_per_s: int | None = None
    calls_at_once: int | None = None


@dataclass(frozen=True, slots=True)
class TwinSettings:
    """A twin: its account, who answers, how long things take, and what goes wrong.

    ``tunnel`` leads the agent's public URL to where it listens; other URLs are asked as they are. ``behaviour`` holds
    the knobs of every call's webhooks and media. The tracks of the latest ``keep_calls`` calls are kept.
    """

    directory: Directory
    account: TwinAccount = field(default_factory=TwinAccount)
    tunnel: Tunnel = field(default_factory=lambda: Tunnel("", ""))
    pace: DialPace = field(default_factory=DialPace)
    behaviour: Behaviour = field(default_factory=Behaviour)
    limits: Limits = field(default_factory=Limits)
    rest_faults: RestFaults = field(default_factory=RestFaults)
    seed: int = 1
    keep_calls: int = 200
