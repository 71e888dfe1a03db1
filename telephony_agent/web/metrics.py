"""``GET /metrics``: what this server counts, as Prometheus reads it, by the API's bearer token.

Figures of campaigns are told where these run, so the sum over several workers is right: what has happened as the server
counts it, how things stand as the store knows it. No label is of a person or of one campaign.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

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

_OF_CAMPAIGNS = f"{PREFIX}_campaign"
Family = TypeVar("Family", CounterMetricFamily, GaugeMetricFamily)
Label = TypeVar("Label", bound=str)


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
        """Yield every metric. What can be is told from the beginning, with 0; of refusals only those that were."""
        tally, name = self.desk.tally, _OF_CAMPAIGNS
        family = CounterMetricFamily(f"{name}_calls", "Calls that ended, by line result.", labels=["line_result"])
        yield _filled(family, dict.fromkeys(LineResult, 0) | tally.line_results)
        family = CounterMetricFamily(f"{name}_dispositions", "The same, by disposition.", labels=["disposition"])
        yield _filled(family, dict.fromkeys(Disposition, 0) | tally.dispositions)
        family = CounterMetricFamily(f"{name}_refusals", "Leads not dialled in their turn, by why.", labels=["reason"])
        yield _filled(family, tally.refusals)
        yield CounterMetricFamily(f"{name}_abandoned", "Calls that were answered and not greeted.", tally.abandoned)
        yield GaugeMetricFamily(f"{name}_calls_live", "Calls that are dialled or talked in now.", self.desk.live)
        if self.standing is not None:
            yield from _standing_figures(self.standing)


def _standing_figures(standing: Standing) -> Iterator[Metric]:
    name = _OF_CAMPAIGNS
    yield _filled(GaugeMetricFamily(f"{name}s", "Campaigns, by state.", labels=["state"]), standing.campaigns)
    family = GaugeMetricFamily(f"{name}_leads", "Leads of the campaigns that aren't over, by state.", labels=["state"])
    yield _filled(family, standing.leads)
    share = "The largest share of abandoned calls of a campaign that isn't over."
    yield GaugeMetricFamily(f"{name}_abandoned_share", share, standing.abandoned_share)


def _filled(family: Family, counts: Mapping[Label, int]) -> Family:
    for value, count in counts.items():
        family.add_metric([value], count)
    return family
