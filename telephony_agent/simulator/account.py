"""The agent's own account of a call, asked for over its API: what it understood, and what of its replies was heard."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from telephony_agent.simulator.call import CallResult
from telephony_agent.simulator.scoring import ScoredTurn, joined, matching, word_error_rate

_EARLY_MS: Final = 400
"""An agent's turn that began this much earlier than the line still belongs to it: pre-roll, or a cough before it."""


@dataclass(frozen=True, slots=True)
class Account:
    """What the API says of one call. ``problem`` tells why it is empty, if it is."""

    greeting: str = ""
    greeting_heard: str = ""
    ended_by: str = ""
    end_reason: str = ""
    turns: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    problem: str = ""


class AccountClient:
    """Asks one agent's API for calls; use it as an asynchronous context manager."""

    def __init__(self, url: str, api_token: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {api_token}"}, trust_env=False, timeout=5
        )

    async def __aenter__(self) -> AccountClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def fetch(self, call_sid: str) -> Account:
        """Ask for a call; every failure becomes the account's ``problem``."""
        try:
            response = await self._client.get(f"/api/v1/calls/{call_sid}")
        except httpx.HTTPError as error:
            return Account(problem=f"the agent's API did not answer: {error!r}")
        if not response.is_success:
            return Account(problem=f"the agent's API answered {response.status_code}")
        return read(response.text)


def read(text: str) -> Account:
    """Read the API's JSON; anything that isn't as agreed becomes the account's ``problem``."""
    try:
        call: dict[str, Any] = json.loads(text)
        greeting = call.get("greeting") or {}
        turns = tuple(
            {**turn, "started_ms": int(turn["started_ms"]), "ended_ms": int(turn["ended_ms"])} for turn in call["turns"]
        )
        return Account(
            greeting=str(greeting.get("text") or ""),
            greeting_heard=str(greeting.get("heard") or ""),
            ended_by=str(call.get("ended_by") or ""),
            end_reason=str(call.get("end_reason") or ""),
            turns=turns,
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return Account(problem=f"the agent's API answered with something else than a call: {error!r}")


def scored_turns(result: CallResult, account: Account | None) -> tuple[ScoredTurn, ...]:
    """Join every line of the caller's with the agent's turns that overlap it in time."""
    scored = []
    for stream in result.streams:
        for turn, times in zip(stream.turns, stream.measures.turns, strict=True):
            plain = ScoredTurn(turn.text, turn.answered, times)
            if account is None or account.problem:
                scored.append(plain)
                continue
            first = stream.timestamp_ms(turn.first_frame) - _EARLY_MS
            found = matching(first, stream.timestamp_ms(turn.end_frame), account.turns, keys=turn.keys)
            scored.append(_told(plain, found, keys=turn.keys))
    return tuple(scored)


def _told(turn: ScoredTurn, found: Sequence[Mapping[str, Any]], *, keys: bool) -> ScoredTurn:
    transcript = joined(found, "transcript")
    return ScoredTurn(
        said=turn.said,
        answered=turn.answered,
        times=turn.times,
        transcript=transcript,
        reply=joined(found, "reply"),
        reply_heard=joined(found, "reply_heard"),
        interrupted=any(bool(one.get("interrupted")) for one in found),
        wer=None if keys else word_error_rate(turn.said, transcript),
    )
