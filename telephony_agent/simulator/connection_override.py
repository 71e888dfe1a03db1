"""How hard Twilio tries to reach a webhook: its defaults, and what the fragment of the webhook's URL says instead.

``https://host/path#rc=2&rp=ct,rt,5xx`` asks for two retries on three kinds of failure. The fragment is neither sent nor
signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

_MOST_RETRIES = 5


@dataclass(frozen=True, slots=True)
class ConnectionOverride:
    """Time limits of one request, how often it is tried again, and after what.

    ``retry_on`` holds ``ct`` (no connection), ``rt`` (no answer in time), ``4xx`` and ``5xx``.
    """

    connect_ms: int = 5_000
    read_ms: int = 15_000
    total_ms: int = 15_000
    retries: int = 1
    retry_on: frozenset[str] = frozenset({"ct"})

    def retries_after(self, status: int) -> bool:
        """Tell whether a status is one to try again after."""
        return f"{status // 100}xx" in self.retry_on


def override_of(url: str) -> ConnectionOverride:
    """Read a URL's fragment; what it doesn't say, or says wrongly, stays as Twilio has it."""
    said = {name: values[-1] for name, values in parse_qs(urlsplit(url).fragment).items()}
    usual = ConnectionOverride()
    policy = frozenset(said["rp"].split(",")) if "rp" in said else usual.retry_on
    return ConnectionOverride(
        connect_ms=_within(said.get("ct"), usual.connect_ms, 100, 10_000),
        read_ms=_within(said.get("rt"), usual.read_ms, 100, 15_000),
        total_ms=_within(said.get("tt"), usual.total_ms, 100, 15_000),
        retries=_within(said.get("rc"), usual.retries, 0, _MOST_RETRIES),
        retry_on=frozenset({"ct", "rt", "4xx", "5xx"}) if "all" in policy else policy,
    )


def _within(text: str | None, usual: int, least: int, most: int) -> int:
    return min(max(int(text), least), most) if text is not None and text.isdecimal() else usual
