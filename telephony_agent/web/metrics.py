"""``GET /metrics``: what this server counts, as Prometheus reads it, by the API's bearer token.

Figures of campaigns are told where these run, so the sum over several workers is right: what has happened as the server
counts it, how things stand as the store knows it. No label is of a person or of one campaign.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from telephony_agent.live.campaign import CampaignDesk
from telephony_agent.sales.disposition import Disposition, LineResult
from telephony_agent.store import Standing, Store, StoreUnavailable
from telephony_agent.telemetry import PREFIX
from telephony_agent.web.api import refusal
from telephony_agent.web.site import site_of


async def metrics(request: Request) -> Response:
    """Tell all metrics in Prometheus's text format."""
    if (refused := refusal(request)) is not None:
        return refused
    site = site_of(request)
    told = generate_latest(site.metrics.registry)
    if site.campaigns is not None and site.store is not None:
        told += generate_latest(CampaignFigures(site.campaigns, await _standing(site.store)))
    return Response(told, media_type=CONTENT_TYPE_LATEST)


async def _standing(store: Store) -> Standing | None:
    """Ask the store; who watches learns the rest also while it doesn't answer."""
    try:
        return await store.campaigns.standing()
    except StoreUnavailable:
        return None


@dataclass(frozen=True, slots=True)
class CampaignFigures(Collector):
    """What is told of a server's campaigns at one moment; without ``standing``, only what the server counts itself."""

    desk: CampaignDesk
    standing: Standing | None

    def collect(self) -> Iterator[Metric]:
        """Yield every metric. What may happen is there from the beginning, with 0; of refusals, what did happen."""
        tally = self.desk.tally
        yield _counter("calls", "Calls of campaigns that ended.", "line_result", LineResult, tally.line_results)
        yield _counter(
            "dispositions", "Calls of campaigns that ended.", "disposition", Disposition, tally.dispositions
        )
        yield _counter("refusals", "Leads whose turn had come and who were not dialled.", "reason", (), tally.refusals)
        abandoned = "Calls of campaigns that somebody answered without hearing us."
        yield CounterMetricFamily(_name("abandoned"), abandoned, tally.abandoned)
        yield GaugeMetricFamily(_name("calls_live"), "Calls of campaigns that are dialled or live.", self.desk.live)
        if self.standing is not None:
            yield from _standing_figures(self.standing)


def _standing_figures(standing: Standing) -> Iterator[Metric]:
    yield _gauge("campaigns", "Campaigns.", "state", standing.campaigns)
    yield _gauge(_name("leads"), "Leads of the campaigns that aren't over.", "state", standing.leads)
    yield GaugeMetricFamily(
        _name("abandoned_share"),
        "The largest share of abandoned calls of a campaign that isn't over; over 0.03 it is held.",
        standing.abandoned_share,
    )
