"""The Starlette application: the visible list of routes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from telephony_agent.telemetry import sampled_loop_lag
from telephony_agent.web import (
    after_stream,
    api,
    calls,
    campaigns,
    leads,
    media,
    memory,
    metrics,
    openapi,
    owners,
    sales,
    siblings,
    voice_chat,
    webhooks,
)
from telephony_agent.web.identity import WELL_KNOWN, well_known
from telephony_agent.web.site import Site


def create_app(
    site: Site, lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]] | None = None
) -> Starlette:
    """Build the application around a site; ``lifespan`` loads the models and sets ``site.switchboard``."""

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        async with sampled_loop_lag(site.metrics), lifespan(app) if lifespan is not None else nullcontext():
            yield

    app = Starlette(
        routes=[
            Route("/twilio/voice", webhooks.voice, methods=["POST"]),
            Route("/twilio/stream-ended", after_stream.stream_ended, methods=["POST"]),
            Route("/twilio/transferred", after_stream.transferred, methods=["POST"]),
            Route("/twilio/whisper", after_stream.whisper, methods=["POST"]),
            Route("/twilio/joined", after_stream.joined, methods=["POST"]),
            Route("/twilio/fallback", webhooks.fallback, methods=["POST"]),
            Route("/twilio/status", webhooks.status, methods=["POST"]),
            Route("/twilio/amd", webhooks.answerer, methods=["POST"]),
            WebSocketRoute("/twilio/media", media.media),
            WebSocketRoute("/twilio/media/{worker:int}", owners.stream_at_named(media.media)),
            WebSocketRoute("/api/v1/sales/ws/voice-chat/{call_id}", owners.stream_at_owner(voice_chat.voice_chat)),
            *api_routes(),
            Route(WELL_KNOWN, well_known, methods=["GET"]),
            Route(siblings.ASK_PATH, owners.ask, methods=["GET"]),
            Route("/metrics", owners.at_named(metrics.metrics), methods=["GET"]),
            Route("/healthz", api.healthz, methods=["GET"]),
            Route("/readyz", owners.at_named(api.readyz), methods=["GET"]),
        ],
        exception_handlers={ClientDisconnect: _gone},
        lifespan=life,
    )
    app.state.site = site
    return app


async def _gone(request: Request, error: Exception) -> Response:
    """Answer nobody: whoever leaves in the middle of a request, or is too slow for one, is no fault of ours."""
    return Response(status_code=400)


def api_routes() -> list[BaseRoute]:
    """Return the routes of the API for people and programs, the one that describes them all last."""
    routes: list[BaseRoute] = [
        Route("/api/v1/calls", memory.calls, methods=["GET"]),
        Route("/api/v1/calls/{call_id}", owners.at_owner(calls.call), methods=["GET"]),
        Route("/api/v1/calls/{call_id}/transcript", memory.transcript, methods=["GET"]),
        Route("/api/v1/calls/{call_id}/recording", owners.at_owner(calls.recording), methods=["GET"]),
        Route("/api/v1/calls/{call_id}/end", owners.at_owner(calls.end), methods=["POST"]),
        Route("/api/v1/calls/{call_id}/transfer", owners.at_owner(calls.transfer), methods=["POST"]),
        Route("/api/v1/leads", leads.leads, methods=["GET", "POST"]),
        Route("/api/v1/leads/import", leads.import_leads, methods=["POST"]),
        Route("/api/v1/leads/{lead_id:int}", leads.lead, methods=["GET", "PUT", "DELETE"]),
        Route("/api/v1/do-not-call", memory.do_not_call, methods=["GET", "POST"]),
        Route("/api/v1/do-not-call/{number}", memory.do_not_call_entry, methods=["DELETE"]),
        *campaigns.ROUTES,
        *sales.ROUTES,
    ]
    return [*routes, openapi.route(routes)]
