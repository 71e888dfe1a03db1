"""What all of the API for people and programs shares: the bearer token and its answers; and the two health checks."""

from __future__ import annotations

import secrets

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from telephony_agent.store import RecorderHealth
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
    """Say whether calls are taken: the models are warm, no engine hangs, and the server isn't about to stop."""
    site = site_of(request)
    if site.ready:
        return PlainTextResponse("ready")
    return PlainTextResponse("draining" if site.draining else "not ready", status_code=503)


def refusal(request: Request) -> Response | None:
    """Return the answer to a request without the API's bearer token; None when it may pass."""
    expected = site_of(request).api_token
    if not expected:
        return error_response(403, "the API is off; set AGENT_API_TOKEN to use it")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secrets.compare_digest(token.encode(), expected.encode()):
        return error_response(401, "a bearer token is needed: Authorization: Bearer $AGENT_API_TOKEN")
    return None


def answered(answer: BaseModel, *, status: int = 200) -> Response:
    """Return a model as the API's JSON."""
    return Response(answer.model_dump_json(by_alias=True), status_code=status, media_type="application/json")


def error_response(status: int, message: str) -> Response:
    """Return an error as the API tells it: what is wrong and what to do."""
    return JSONResponse({"error": message}, status_code=status)
