"""The Starlette application: the visible list of routes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute

from telephony_agent.telemetry import sampled_loop_lag
from telephony_agent.web import api, leads, media, memory, metrics, openapi, sales, webhooks
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
            Route("/twilio/stream-ended", webhooks.stream_ended, methods=["POST"]),
            Route("/twilio/status", webhooks.status, methods=["POST"]),
            WebSocketRoute("/twilio/media", media.media),
            *api_routes(),
            Route("/metrics", metrics.metrics, methods=["GET"]),
            Route("/healthz", api.healthz, methods=["GET"]),
            Route("/readyz", api.readyz, methods=["GET"]),
        ],
        lifespan=life,
    )
    app.state.site = site
    return app


def api_routes() -> list[BaseRoute]:
    """Return the routes of the API for people and programs, the one that describes them all last."""
    routes: list[BaseRoute] = [
        Route("/api/v1/calls", memory.calls, methods=["GET"]),
        Route("/api/v1/calls/{call_sid}", api.call, methods=["GET"]),
        Route("/api/v1/calls/{call_sid}/transcript", memory.transcript, methods=["GET"]),
        Route("/api/v1/leads", leads.leads, methods=["GET", "POST"]),
        Route("/api/v1/leads/import", leads.import_leads, methods=["POST"]),
        Route("/api/v1/leads/{lead_id:int}", leads.lead, methods=["GET", "PUT", "DELETE"]),
        Route("/api/v1/do-not-call", memory.do_not_call, methods=["GET", "POST"]),
        Route("/api/v1/do-not-call/{number}", memory.do_not_call_entry, methods=["DELETE"]),
        *sales.ROUTES,
    ]
    return [*routes, openapi.route(routes)]
