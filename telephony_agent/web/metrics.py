"""``GET /metrics``: what this server counts, as Prometheus reads it, by the API's bearer token."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from telephony_agent.web.api import refusal
from telephony_agent.web.site import site_of


async def metrics(request: Request) -> Response:
    """Tell all metrics in Prometheus's text format."""
    if (refused := refusal(request)) is not None:
        return refused
    return Response(generate_latest(site_of(request).metrics.registry), media_type=CONTENT_TYPE_LATEST)
