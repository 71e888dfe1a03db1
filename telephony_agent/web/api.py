"""The API for people and programs: calls, by bearer token; and the two health checks."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from telephony_agent.core.conversation import Turn
from telephony_agent.live.switchboard import Call, CallState
from telephony_agent.sales.outcome import Outcome
from telephony_agent.store import RecorderHealth
from telephony_agent.telemetry import mask_number
from telephony_agent.web.site import site_of


async def healthz(request: Request) -> Response:
    """Say that the process is alive; with ``?verbose``, also how the writing of what calls leave behind goes."""
    if "verbose" not in request.query_params:
        return PlainTextResponse("ok")
    site = site_of(request)
    health = site.store.recorder.health if site.store is not None else RecorderHealth()
    # No words of the database's: anybody may ask.
    recorder = {"healthy": health.healthy, "pending": health.pending, "lost": health.lost, "refused": health.refused}
    return JSONResponse({"ready": site.ready, "recorder": recorder})


async def readyz(request: Request) -> Response:
    """Say whether calls are taken: the models are warm and no engine hangs."""
    ready = site_of(request).ready
    return PlainTextResponse("ready" if ready else "not ready", status_code=200 if ready else 503)


async def call(request: Request) -> Response:
    """Tell all about one call."""
    if (refused := refusal(request)) is not None:
        return refused
    site = site_of(request)
    found = site.switchboard.find(request.path_params["call_sid"]) if site.switchboard else None
    if found is None:
        return error_response(404, "no such call, or it ended too long ago")
    return JSONResponse(describe(found, asyncio.get_running_loop().time()))


def refusal(request: Request) -> Response | None:
    """Return the answer to a request without the API's bearer token; None when it may pass."""
    expected = site_of(request).api_token
    if not expected:
        return error_response(403, "the API is off; set AGENT_API_TOKEN to use it")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secrets.compare_digest(token.encode(), expected.encode()):
        return error_response(401, "a bearer token is needed: Authorization: Bearer $AGENT_API_TOKEN")
    return None


def describe(call: Call, now: float) -> dict[str, Any]:
    """Return a call as the API shows it. Times in turns are ms on the stream's clock."""
    turns = call.flow.account(now)
    greeting = turns[0] if turns else None
    return {
        "call_sid": call.call_sid,
        "direction": call.direction,
        "from": mask_number(call.from_number),
        "to": mask_number(call.to_number),
        "state": "ended" if call.state is CallState.ENDED else "live",
        "began_at": call.began_at.isoformat(),
        "ended_at": call.ended_at.isoformat() if call.ended_at else None,
        "ended_by": call.end_reason.ended_by if call.end_reason else None,
        "end_reason": call.end_reason.value if call.end_reason else None,
        "carrier_status": call.carrier_status or None,
        "greeting": {"text": greeting.reply, "heard": greeting.reply_heard} if greeting else None,
        "turns": [_describe_turn(turn) for turn in turns[1:]],
        "outcome": _describe_outcome(call.outcome) if call.outcome is not None else None,
    }


def _describe_outcome(outcome: Outcome) -> dict[str, Any]:
    step = outcome.next_step
    return {
        "disposition": outcome.disposition.value,
        "line_result": outcome.line_result.value,
        "slots": dict(outcome.told),
        "summary": outcome.summary,
        "next_step": None
        if step is None
        else {"kind": step.kind.value, "at": step.at.isoformat() if step.at else None, "zone": step.zone},
        "opted_out": outcome.opted_out,
        "disclosed": outcome.disclosed,
    }


def _describe_turn(turn: Turn) -> dict[str, Any]:
    return {
        "turn": turn.number,
        "input": turn.input.value,
        "started_ms": turn.started_ms,
        "ended_ms": turn.ended_ms,
        "transcript": turn.transcript,
        "reply": turn.reply,
        "reply_heard": turn.reply_heard,
        "interrupted": turn.interrupted,
        "timings": turn.timings,
    }


def error_response(status: int, message: str) -> Response:
    """Return an error as the API tells it: what is wrong and what to do."""
    return JSONResponse({"error": message}, status_code=status)
