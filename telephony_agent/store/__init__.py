"""The memory: leads, calls and what was said in them, outcomes, do-not-call, the compliance log, recordings.

``Store`` is the way in. It is SQLAlchemy over SQLite (the default) or PostgreSQL; Alembic migrations run when it opens.

==============  =======================================================================  ==============================
table           holds                                                                    deleted by
==============  =======================================================================  ==============================
leads           people to be called, one a number                                        hand, retention, forget
do_not_call     numbers that are never dialled                                           hand only
attempts        one row a dial: number, lead, the day it was there                       retention (calls), forget
calls           one row a call; live while ``disposition`` is NULL; it is written once   retention, forget
turns           what was said, one row a turn, replaced as the turn goes on              retention (transcripts), forget
phrases         the heard ledger: our phrases, and what of each was heard                retention (transcripts), forget
events          what happened in a call                                                  retention (transcripts), forget
campaigns       leads to be dialled, one after another; counts of abandoned calls        hand, retention (calls)
campaign_leads  where a lead stands in a campaign, and its latest call                   with its campaign or lead
playbooks       what calls and campaigns were made by                                    retention (calls), unnamed
deliveries      outcomes that the owner's webhook has not taken yet                      delivery, forget
compliance      the hash-chained log                                                     never; forget erases who it was
==============  =======================================================================  ==============================

Recordings are files: ``recordings/<call>.wav`` in the data directory, found by the call's name.
"""

from __future__ import annotations

from telephony_agent.store.calls import Calls
from telephony_agent.store.campaign_records import (
    CampaignLead,
    CampaignRecord,
    CampaignState,
    LeadState,
    NewCampaign,
    Progress,
    Settlement,
    Verdict,
)
from telephony_agent.store.campaign_standing import Standing
from telephony_agent.store.campaigns import Campaigns
from telephony_agent.store.compliance_log import ComplianceLog, Head, LogEntry, Subject, Verification
from telephony_agent.store.deliveries import Deliveries
from telephony_agent.store.dialling import Dialling, Reservation, local_day
from telephony_agent.store.do_not_call import DoNotCall
from telephony_agent.store.errors import (
    CursorError,
    DuplicateLead,
    ImportRefused,
    NumberError,
    StoreError,
    StoreUnavailable,
    UnknownRecord,
)
from telephony_agent.store.history import CallFilter, History
from telephony_agent.store.lead_csv import ImportReport, RefusedRow
from telephony_agent.store.leads import LeadFilter, Leads
from telephony_agent.store.masking import mask_cards
from telephony_agent.store.numbers import e164
from telephony_agent.store.playbooks import Playbooks
from telephony_agent.store.recorder import CallRecorder, Recorder, RecorderHealth
from telephony_agent.store.recordings import Recording, Recordings
from telephony_agent.store.records import (
    CallRecord,
    Consent,
    Delivery,
    DoNotCallEntry,
    EventRecord,
    LeadDraft,
    LeadRecord,
    NewCall,
    NextStep,
    Outcome,
    Page,
    PhraseRecord,
    Transcript,
    TurnRecord,
)
from telephony_agent.store.retention import Deleted, Retention, RetentionPolicy
from telephony_agent.store.rows import outcome_payload
from telephony_agent.store.store import Store

__all__ = [
    "CallFilter",
    "CallRecord",
    "CallRecorder",
    "Calls",
    "CampaignLead",
    "CampaignRecord",
    "CampaignState",
    "Campaigns",
    "ComplianceLog",
    "Consent",
    "CursorError",
    "Deleted",
    "Deliveries",
    "Delivery",
    "Dialling",
    "DoNotCall",
    "DoNotCallEntry",
    "DuplicateLead",
    "EventRecord",
    "Head",
    "History",
    "ImportRefused",
    "ImportReport",
    "LeadDraft",
    "LeadFilter",
    "LeadRecord",
    "LeadState",
    "Leads",
    "LogEntry",
    "NewCall",
    "NewCampaign",
    "NextStep",
    "NumberError",
    "Outcome",
    "Page",
    "PhraseRecord",
    "Playbooks",
    "Progress",
    "Recorder",
    "RecorderHealth",
    "Recording",
    "Recordings",
    "RefusedRow",
    "Reservation",
    "Retention",
    "RetentionPolicy",
    "Settlement",
    "Standing",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "Subject",
    "Transcript",
    "TurnRecord",
    "UnknownRecord",
    "Verdict",
    "Verification",
    "e164",
    "local_day",
    "mask_cards",
    "outcome_payload",
]
