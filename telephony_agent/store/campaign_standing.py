"""How all campaigns of a server stand together, in a few numbers that are cheap to ask for again and again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from telephony_agent.store.campaign_records import CampaignState, LeadState
from telephony_agent.store.tables import CampaignLeadRow, CampaignRow

TO_GO_ON = (CampaignState.RUNNING.value, CampaignState.PAUSED.value, CampaignState.HELD.value)
"""States of a campaign that isn't over."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a server's campaigns stand. Every state has its count, be it 0.

    Attributes:
        campaigns: by state.
        leads: by state, of the campaigns that aren't over. Those of the others are history, and ever more.
        abandoned_share: the largest one among the campaigns that aren't over, of 1; 0 where nobody answered.
    """

    campaigns: Mapping[CampaignState, int]
    leads: Mapping[LeadState, int]
    abandoned_share: float


async def standing_of(session: AsyncSession, server: str) -> Standing:
    """Count how the campaigns of a server stand."""
    own, to_go_on = CampaignRow.server == server, CampaignRow.state.in_(TO_GO_ON)
    campaigns = select(CampaignRow.state, func.count()).where(own).group_by(CampaignRow.state)
    leads = select(CampaignLeadRow.state, func.count()).join(CampaignRow, CampaignRow.id == CampaignLeadRow.campaign_id)
    leads = leads.where(own, to_go_on).group_by(CampaignLeadRow.state)
    counts = select(CampaignRow.answered, CampaignRow.abandoned).where(own, to_go_on, CampaignRow.answered > 0)
    by_state = dict((await session.execute(campaigns)).all())
    by_lead_state = dict((await session.execute(leads)).all())
    shares = [abandoned / answered for answered, abandoned in await session.execute(counts)]
    return Standing(
        {state: by_state.get(state.value, 0) for state in CampaignState},
        {state: by_lead_state.get(state.value, 0) for state in LeadState},
        max(shares, default=0.0),
    )
